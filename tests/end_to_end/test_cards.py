"""From outside: bytes on a serial line become events at a real broker's subscriber, whatever is killed meanwhile."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.house import KNOWN, House, SerialLine, Subscriber, door_house, prove_complete
from tests.real import Mosquitto, wait_until
from tests.stranger import Contract


def ids(events: list[dict[str, Any]]) -> set[str]:
    return {event["id"] for event in events}


def keeps(house: House, cards: int) -> bool:
    return house.kept("access") == cards


def test_a_card_reaches_the_platform(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> None:
    house = door_house(tmp_path, line, broker)
    with Subscriber(broker.port) as platform, house:
        house.wait_online("reader")
        line.present(KNOWN)
        line.present(bytes.fromhex("0B00C0FFEE"))
        wait_until(lambda: len(platform.events("access")) == 2)
        granted, denied = platform.events("access")
        assert granted["type"] == "compound.access.granted.v1"
        assert granted["subject"] == "east-door"
        assert granted["source"] == "/fenglinwan/box-1"
        assert granted["data"]["opened"] is True
        assert (
            granted["data"]["holder"].items() >= {"kind": "resident", "category": "owner", "room": "3-1-0502"}.items()
        )
        assert denied["type"] == "compound.access.denied.v1"
        assert denied["data"]["reason"] == "unknown"
        assert "62E3086CED" not in str(platform.messages)  # card numbers never leave
        wait_until(lambda: (platform.last("/status") or {}).get("status") == "online")
        wait_until(lambda: (platform.last("/device/east-reader") or {}).get("status") == "online")
        assert "east-door" in platform.last("/catalog")["points"]
        assert house.stop() == 0
        wait_until(lambda: platform.last("/status")["status"] == "stopped")
        prove_complete(platform.events())


def test_a_roster_change_counts_at_once(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> None:
    house = door_house(tmp_path, line, broker)
    with Subscriber(broker.port) as platform, house:
        house.wait_online("reader")
        house.command("roster", "remove", "r-0502")
        wait_until(lambda: house.status()["roster"]["holders"] == 0)
        line.present(KNOWN)
        wait_until(lambda: platform.events("access.denied"))


def test_kills_in_the_middle_of_a_rush_lose_nothing(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> None:
    """Cards at 20 a second; the daemon is killed four times; what was read arrives, once by id, without a gap."""
    house = door_house(tmp_path, line, broker)
    presented = 0
    with Subscriber(broker.port) as platform:
        for _ in range(4):
            with house:  # killed at its end
                house.wait_online("reader")
                for _ in range(30):
                    line.present(KNOWN)
                    presented += 1
                    time.sleep(0.05)
                wait_until(partial(keeps, house, presented))  # the last card's event, too
        with house:
            house.wait_online("reader")

            def arrived() -> int:
                return len({event["id"] for event in platform.events("access.granted")})

            wait_until(lambda: arrived() == presented, what=f"{presented} cards at the platform")
            wait_until(lambda: ids(platform.events()) == ids(house.events()))  # what devices had to say, too
            prove_complete(platform.events())
            assert house.stop() == 0
        assert ids(house.events()) == ids(platform.events())


def test_a_broker_that_goes_away_loses_nothing(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> None:
    house = door_house(tmp_path, line, broker)
    with house:
        with Subscriber(broker.port) as before:
            house.wait_online("reader")
            wait_until(lambda: house.events() and ids(before.events()) == ids(house.events()))
            broker.stop()
        for _ in range(20):
            line.present(KNOWN)
            time.sleep(0.05)
        wait_until(lambda: house.status()["uplinks"]["city"]["waiting"] >= 20)
        broker.start()
        with Subscriber(broker.port) as platform:
            wait_until(lambda: len(platform.events("access.granted")) >= 20)
            replayed = [event for event in platform.events("access.granted") if event["replay"]]
            assert len(replayed) >= 20
            wait_until(lambda: ids(before.events()) | ids(platform.events()) == ids(house.events()))
            prove_complete(before.events() + platform.events())


def test_a_wrong_file_stops_the_daemon_with_78(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> None:
    house = door_house(tmp_path, line, broker)
    house.config.write_text(house.config.read_text("utf-8").replace("hold_s", "hold_ms"), encoding="utf-8")
    for command in ("run", "check", "status"):
        said = house.command(command, code=78)
        assert "hold_ms: unknown key" in said
        assert "hold_s" in said


def test_check_live_names_each_device(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> None:
    house = door_house(tmp_path, line, broker)
    with Subscriber(broker.port) as platform:
        assert "reader   east-reader" in house.command("check", "--live")
        wait_until(lambda: platform.messages)
        time.sleep(0.3)  # a will would come now
        ((topic, body, _),) = platform.messages
        assert topic.endswith("/reply/check-live")
        assert not Contract(strict=True).faults(topic, json.dumps(body).encode())[1]
    with Subscriber(broker.port) as latecomer:
        time.sleep(0.3)
        assert not latecomer.messages  # nothing is left behind
    broker.stop()
    said = house.command("check", "--live", code=1)
    assert "✘ uplink   city" in said
