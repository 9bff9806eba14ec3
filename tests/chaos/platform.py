"""A platform that trusts nobody: a subscriber in a process of its own that stores all it gets before it acknowledges.

It knows MQTT and JSON and nothing of the gateway. Its session is durable; where it is given several ports it goes from
one to the next, as a subscriber of a cluster does.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.bench.site import ROOT
from tests.real import wait_until
from tests.stranger import Contract


class Platform:
    """That process, as the kit sees it: `events` grows while it runs."""

    def __init__(self, name: str, folder: Path, ports: list[int], protocol: str, topics: str = "compound/#") -> None:
        self.name = name
        self._store = folder / f"{name}.jsonl"
        self._store.touch()
        self._log = folder / f"{name}.log"
        self._line = [
            sys.executable,
            "-m",
            "tests.chaos.platform",
            str(self._store),
            protocol,
            topics,
            *map(str, ports),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._read_upto = 0
        self.events: list[dict[str, Any]] = []
        self.arrivals: list[float] = []  # monotonic seconds, one an event
        self.ids: set[str] = set()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._line, cwd=ROOT, stdout=log, stderr=log)
        wait_until(lambda: b"subscribed" in self._log.read_bytes(), 120, f"{self.name} subscribes, see {self._log}")

    def take(self) -> None:
        """Read what has been stored since the last call."""
        with self._store.open("rb") as file:
            file.seek(self._read_upto)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read_upto += len(line)
                at, topic, body = json.loads(line)
                for event in self.events_in(topic, body):
                    self.events.append(event)
                    self.arrivals.append(at)
                    self.ids.add(event["id"])

    def events_in(self, topic: str, body: str) -> list[dict[str, Any]]:
        """The events that a message carries."""
        return [json.loads(body)] if "/event/" in topic else []

    def has_new(self, known: int) -> bool:
        """Whether more than `known` different events are stored."""
        self.take()
        return len(self.ids) > known

    def strange(self) -> list[str]:
        """What the published documents do not allow, in all that was stored; each event is looked at once."""
        contract, known, found = Contract(strict=True), set(), []
        with self._store.open("rb") as file:
            for line in file:
                _, topic, body = json.loads(line)
                event = json.loads(body)["id"] if "/event/" in topic else None
                if event is None or event not in known:
                    known.add(event)
                    found += contract.faults(topic, body.encode())[1]
        return found

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


def main(store: str, protocol: str, topics: str, *ports: str) -> None:
    """Subscribe and append (monotonic time, topic, body) to the store, until killed."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"platform-{Path(store).stem}",
        protocol=mqtt.MQTTv5 if protocol == "5" else mqtt.MQTTv311,
        clean_session=None if protocol == "5" else False,
    )
    with Path(store).open("ab", buffering=0) as file:

        def keep(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
            line = [time.monotonic(), message.topic, message.payload.decode("utf-8", "backslashreplace")]
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

        client.on_message = keep
        client.on_connect = lambda client, *_: client.subscribe(topics, 1)
        client.on_subscribe = lambda *_: print("subscribed", flush=True)
        for port in itertools.cycle(int(port) for port in ports):
            with suppress(OSError):
                _listen(client, port, protocol)
            time.sleep(0.1)


def _listen(client: mqtt.Client, port: int, protocol: str) -> None:
    """Until the connection fails."""
    session: dict[str, Any] = {}
    if protocol == "5":
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 86400
        session = {"clean_start": False, "properties": properties}
    client.connect("127.0.0.1", port, keepalive=5, **session)
    while client.loop(1.0) == mqtt.MQTT_ERR_SUCCESS:
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
