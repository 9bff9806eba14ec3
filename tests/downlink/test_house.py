"""From outside: a real daemon answers a real broker. This machine's clock decides whether it may obey."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from gateway.clock import ClockTrust, trust
from tests.downlink.parts import CARD, PREFIX, Platform
from tests.house import DOOR, HEAD, ROSTER, UPLINK, House, SerialLine
from tests.real import Mosquitto, wait_until

EXPECTED = "done" if trust() is ClockTrust.SYNCED else "clock_unsynced"


@pytest.fixture
def line() -> Iterator[SerialLine]:
    wire = SerialLine()
    yield wire
    wire.close()


def start(folder: Path, line: SerialLine, broker: Mosquitto, more: str) -> House:
    house = House(folder, HEAD + DOOR.format(port=line.path) + UPLINK.format(port=broker.port) + more)
    (folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
    house.command("roster", "import", str(folder / "roster.csv"))
    return house


def wait_for_subscription(platform: Platform) -> None:
    wait_until(lambda: [body["status"] for body in platform.bodies(f"{PREFIX}/status")][-1:] == ["online"])


def test_by_default_everything_is_refused(
    tmp_path: Path, line: SerialLine, broker: Mosquitto, platform: Platform
) -> None:
    with start(tmp_path, line, broker, "") as house:
        wait_for_subscription(platform)
        for command, args in (("ping", {}), ("door.open", {"point": "east-door"}), ("config.get", {})):
            assert platform.order(command, **args)["code"] == "not_allowed"
        assert platform.set_roster({"version": 1, "full": True, "items": []})["code"] == "not_allowed"
        wait_until(lambda: len(platform.events("audit.command")) == 4)
        assert not platform.events("remote_open")
        assert house.status()["roster"]["holders"] == 1
        assert house.stop() == 0


def test_the_daemon_obeys_only_with_a_clock_that_is_right(
    tmp_path: Path, line: SerialLine, broker: Mosquitto, platform: Platform
) -> None:
    allow = '\n[commands]\nallow = ["ping", "door.open", "roster.sync"]\n'
    with start(tmp_path, line, broker, allow) as house:
        house.wait_online("actuator")
        wait_for_subscription(platform)
        reply = platform.order("door.open", point="east-door")
        assert reply["code"] == EXPECTED
        assert platform.order("ping")["code"] == EXPECTED
        assert platform.set_roster({"version": 1, "full": True, "items": []})["code"] == EXPECTED
        wait_until(lambda: len(platform.events("audit.command")) == 3)
        assert [event["data"]["code"] for event in platform.events("audit.command")] == [EXPECTED] * 3
        assert len(platform.events("access.remote_open")) == (EXPECTED == "done")
        process = house._process
        assert process is not None
        assert psutil.Process(process.pid).memory_info().rss < 80 << 20
        assert CARD.partition(":")[2] not in house.log()
        assert house.stop() == 0


def test_who_waits_at_a_door_is_admitted_by_the_order_that_opens_it(
    tmp_path: Path, line: SerialLine, broker: Mosquitto, platform: Platform
) -> None:
    house = start(tmp_path, line, broker, '\n[commands]\nallow = ["door.open"]\n')
    asks = house.config.read_text("utf-8").replace('kind = "pedestrian"', 'kind = "pedestrian"\ncheck_unknown = true')
    house.config.write_text(asks, encoding="utf-8")
    with house:
        house.wait_online("reader")
        house.wait_online("actuator")
        wait_for_subscription(platform)
        line.present(bytes.fromhex("0B00C0FFEE"))
        wait_until(lambda: platform.events("check.required"))
        assert platform.order("door.open", "x1", point="east-door")["code"] == EXPECTED
        wait_until(lambda: [event for event in house.events() if event["type"] == "compound.audit.command.v1"])
        assert house.stop() == 0
    (result,) = [event["data"] for event in house.events() if event["type"] == "compound.check.result.v1"]
    assert (result["by"], result.get("request_id")) == (("command", "x1") if EXPECTED == "done" else ("stop", None))
