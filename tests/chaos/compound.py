"""Everything around one daemon: readers and a door on pseudo-terminals, two brokers, a wire and a platform to each.

The first uplink (`city`) speaks MQTT 5 and gets everything, the second (`street`) speaks 3.1.1 and gets some classes
only. Faults of the network hit the city; the street shows that one uplink never suffers from another. Settings of the
daemon are the defaults where a scenario does not say otherwise.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from gateway.keys import Keys
from tests.chaos.cards import Door, Rush, references
from tests.chaos.platform import Platform
from tests.chaos.wire import Wire
from tests.chaos.witness import Witness
from tests.house import HEAD, ROSTER, House, SerialLine
from tests.real import Mosquitto, wait_until

_RUSH = """
[points.hall]
name = "大堂"
kind = "pedestrian"
direction = "in"

[readers.hall-1]
driver = "rdm6300"
port = "{hall[0]}"
point = "hall"
hold_s = 0

[readers.hall-2]
driver = "rdm6300"
port = "{hall[1]}"
point = "hall"
hold_s = 0

[points.east-door]
name = "东门人行1"
kind = "pedestrian"
direction = "in"
actuator = "east-relay"
open_s = 0.5

[readers.east-reader]
driver = "rdm6300"
port = "{door}"
point = "east-door"
hold_s = 0

[actuators.east-relay]
driver = "lcus1"
port = "{relay}"
"""

CITY = """
[uplinks.city]
host = "127.0.0.1"
port = {port}
backlog_rate = {backlog_rate}
"""

_STREET = """
[uplinks.street]
host = "127.0.0.1"
port = {port}
backlog_rate = {backlog_rate}
protocol = "3.1.1"
classes = ["access", "alarm", "loss"]
"""


_SETTLE_S = 900.0  # a busy machine is no fault of the daemon: what counts is that all arrives


class Broker(Protocol):
    """One broker or the nodes of a cluster."""

    ports: list[int]
    protocol: str

    def start(self) -> object: ...
    def stop(self) -> None: ...


class Compound:
    """`city` and `street` are the platforms; `wire` is the network to the city."""

    def __init__(
        self,
        folder: Path,
        *,
        rate: float = 50.0,
        more: str = "",
        city: str = CITY,
        city_broker: Broker | None = None,
        backlog_rate: int = 200,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lines = [SerialLine(), SerialLine()]
        self.door = Door()
        self.rush = Rush(self.lines, rate)
        self.city_broker = city_broker or DurableMosquitto(folder / "city-broker")
        self.street_broker = DurableMosquitto(folder / "street-broker")
        self.wire = Wire(self.city_broker.ports)
        self.city = Platform("city", folder, self.city_broker.ports, self.city_broker.protocol)
        self.street = Platform("street", folder, self.street_broker.ports, "3.1.1")
        devices = _RUSH.format(hall=[line.path for line in self.lines], door=self.door.reader.path, relay=self.relay)
        uplinks = city.format(port=self.wire.port, backlog_rate=backlog_rate)
        uplinks += _STREET.format(port=self.street_broker.port, backlog_rate=backlog_rate)
        self.house = House(folder, HEAD + devices + uplinks + more)
        self.house.environment = dict(environment or {})
        self.witness = Witness(folder, self.house.config)

    @property
    def relay(self) -> str:
        return self.door.relay.path

    @property
    def platforms(self) -> tuple[Platform, Platform]:
        return (self.city, self.street)

    def import_roster(self) -> None:
        (self.folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
        self.house.command("roster", "import", str(self.folder / "roster.csv"))

    def __enter__(self) -> Self:
        """Brokers, platforms and daemon run, and the first events have arrived."""
        try:
            for broker in (self.city_broker, self.street_broker):
                broker.start()
            for platform in self.platforms:
                platform.start()
            self.import_roster()
            self.start_house()
            self.rush.start()
            self.door.start()
            for platform in self.platforms:
                wait_until(lambda platform=platform: platform.has_new(10), 300, f"first events, see {self.folder}")
            self.witness.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop_sources()
        self.witness.stop()
        self.house.__exit__(kind, error, at)
        for platform in self.platforms:
            platform.stop()
        for broker in (self.city_broker, self.street_broker):
            broker.stop()
        self.wire.close()
        for line in self.lines:
            line.close()
        self.door.close()

    def stop_sources(self) -> None:
        self.rush.stop()
        self.door.stop()

    @contextmanager
    def rest(self) -> Iterator[None]:
        """No card is presented meanwhile: what comes to a port that nobody has open opens nothing and is no event."""
        for source in (self.rush, self.door):
            source.resting.set()
        time.sleep(0.5)
        yield
        for source in (self.rush, self.door):
            source.resting.clear()

    def start_house(self) -> None:
        """Start the daemon and wait for its devices, by its log: the disk may not let it answer otherwise."""
        before = len(self.house.log()) if (self.folder / "daemon.log").exists() else 0
        self.house.start()
        wait_until(lambda: self.house.log().count(" is online", before) == 4, 120, "every device is on line")

    def street_has_all(self) -> bool:
        self.street.take()
        return bool(self._uplinks().get("street", {}).get("waiting") == 0)

    def presented(self) -> Counter[str]:
        """How often each card was presented, by the name that events give to it."""
        return references(Keys(self.folder / "data"), self.rush, self.door)

    def until_new_at(self, platform: Platform, seconds: float = 300.0) -> float:
        """Wait for the next event that the platform did not have; seconds until then."""
        platform.take()
        known, began = len(platform.ids), time.monotonic()
        wait_until(lambda: platform.has_new(known), seconds, f"something new at {platform.name}, see {self.folder}")
        return time.monotonic() - began

    def settle(self) -> float:
        """The sources end; wait until both uplinks have passed everything; seconds that took."""
        self.stop_sources()
        began = time.monotonic()
        wait_until(self._is_settled, _SETTLE_S, f"both uplinks pass everything: {self._uplinks()}")
        return time.monotonic() - began

    def _is_settled(self) -> bool:
        sizes = self._sizes()
        uplinks = self._uplinks()
        if not uplinks or any(one["waiting"] != 0 or one["dead"] or not one["connected"] for one in uplinks.values()):
            time.sleep(0.5)
            return False
        time.sleep(2.0)
        return sizes == self._sizes()

    def _sizes(self) -> list[int]:
        for platform in self.platforms:
            platform.take()
        return [len(platform.events) for platform in self.platforms]

    def _uplinks(self) -> dict[str, Any]:
        return dict(self.house.status().get("uplinks", {}))


class DurableMosquitto(Mosquitto):
    """Keeps what it has acknowledged, as a platform's broker must: without these lines it does so every half hour."""

    protocol = "5"
    _LINES = ("persistence true", "autosave_interval 1", "autosave_on_changes true", "max_queued_messages 0")

    def __init__(self, folder: Path, *lines: str) -> None:
        super().__init__(folder, *self._LINES, f"persistence_location {folder}/", *lines)
        self.ports = [self.port]
