"""Staff look at those whom an entrance does not know: a real daemon, a real broker, cards on a pseudo-terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.house import KNOWN, House, SerialLine, door_house
from tests.real import Mosquitto, wait_until
from tests.stranger import Stranger

STRANGE, OTHER, GUARD = (bytes.fromhex(number) for number in ("0B00C0FFEE", "0B00C0FFEF", "0B00C0FFF0"))
ASKS = 'actuator = "east-relay"\ncheck_unknown = true\ncheck_within = "2m"\n'


@pytest.fixture
def line() -> Iterator[SerialLine]:
    line = SerialLine()
    yield line
    line.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> House:
    return asking(door_house(tmp_path, line, broker))


def asking(house: House) -> House:
    text = house.config.read_text(encoding="utf-8")
    house.config.write_text(text.replace('actuator = "east-relay"\n', ASKS, 1), encoding="utf-8")
    return house


def of(stranger: Stranger, kind: str) -> list[dict[str, Any]]:
    """Events of a type, in their sequence."""
    found = [event for event in stranger.events.copy().values() if event["type"] == f"compound.{kind}.v1"]
    return sorted(found, key=lambda event: int(event["sequence"]))


def waiting(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(house.command("inspect", "list", "--json"))
    return found


def test_staff_see_who_waits_and_write_down_how_it_ended(house: House, line: SerialLine, broker: Mosquitto) -> None:
    with Stranger(broker.port, strict=True) as stranger, house:
        house.wait_online("reader")
        assert "nobody waits to be looked at" in house.command("inspect", "list")
        line.present(STRANGE)
        line.present(STRANGE)
        line.present(OTHER)
        line.present(KNOWN)
        wait_until(lambda: of(stranger, "access.granted") and len(of(stranger, "check.required")) == 2)
        first, second = waiting(house)
        assert (first["point"], first["reason"], first["method"]) == ("east-door", "unknown", "card")
        assert 0 < first["left_s"] <= 120
        assert [first["check"], second["check"]] == [event["id"] for event in of(stranger, "check.required")]
        assert first["passage"] == of(stranger, "access.denied")[0]["passage"]
        said = house.command("inspect", "list").splitlines()
        assert len(said) == 2
        assert said[0].startswith(first["check"][-6:])
        assert "东门人行1: look who is there, card not in the roster" in said[0]
        assert "written down as turned away" in house.command("inspect", "refuse", first["check"][-6:])
        done = json.loads(house.command("inspect", "admit", second["check"], "--json"))
        assert (done["check"], done["outcome"]) == (second["check"], "admitted")
        again = house.command("inspect", "admit", first["check"], code=1)
        assert f"no open check ends in '{first['check']}'" in again
        wait_until(lambda: len(of(stranger, "check.result")) == 2)
        results = [event["data"] for event in of(stranger, "check.result")]
        assert [(result["check"], result["outcome"]) for result in results] == [
            (first["check"], "refused"),
            (second["check"], "admitted"),
        ]
        audits = [event["data"] for event in of(stranger, "audit.check_answered")]
        assert [audit["check"] for audit in audits] == [first["check"], second["check"]]
        assert {audit["by"] for audit in audits} == {result["operator"] for result in results} != {"?"}
        assert len([event for event in of(stranger, "access.granted") if event["data"]["opened"]]) == 1
        assert "the check has ended, turned away, written down by" in house.command("events", "--type", "check.*")
        assert house.stop() == 0
        assert not stranger.faults


def test_staff_let_somebody_in_by_a_card_of_their_own(house: House, line: SerialLine, broker: Mosquitto) -> None:
    card = f"em4100:{GUARD.hex().upper()}"
    house.command("roster", "add", "s-1", "--name", "王五", "--kind", "物业", "--card", card, "--point", "*")
    with Stranger(broker.port, strict=True) as stranger, house:
        house.wait_online("reader")
        house.wait_online("actuator")
        line.present(STRANGE)
        wait_until(lambda: of(stranger, "check.required"))
        line.present(GUARD)
        wait_until(lambda: of(stranger, "check.result"))
        (result,) = of(stranger, "check.result")
        assert (result["data"]["by"], result["data"]["holder"]["kind"]) == ("card", "staff")
        assert "id" not in result["data"]["holder"]  # the field policy
        assert house.stop() == 0
        assert not stranger.faults


def test_a_stop_tells_that_nobody_answered_and_a_kill_tells_nothing(
    house: House, line: SerialLine, broker: Mosquitto
) -> None:
    with Stranger(broker.port, strict=True) as stranger:
        with house:
            house.wait_online("reader")
            line.present(STRANGE)
            wait_until(lambda: of(stranger, "check.required"))
            assert house.stop() == 0
        (stopped,) = [event for event in house.events() if event["type"] == "compound.check.result.v1"]
        assert (stopped["data"]["outcome"], stopped["data"]["by"]) == ("unanswered", "stop")
        house.start()
        house.wait_online("reader")
        wait_until(lambda: of(stranger, "check.result"))
        line.present(STRANGE)
        wait_until(lambda: len(of(stranger, "check.required")) == 2)
        house.kill()
        with house:
            house.wait_online("reader")
            assert not waiting(house)
            line.present(STRANGE)
            wait_until(lambda: len(of(stranger, "check.required")) == 3)
            assert len(of(stranger, "check.result")) == 1
            assert stranger.complete_upto() == max(event["sequence"] for event in stranger.events.values())
        assert not stranger.faults


def test_nobody_who_did_not_ask_for_checks_gets_any(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> None:
    house = door_house(tmp_path, line, broker)
    with house:
        house.wait_online("reader")
        line.present(STRANGE)
        wait_until(lambda: [event for event in house.events() if "denied" in event["type"]])
        assert "inspection" not in house.status()["threads"]
        assert not waiting(house)
        assert house.stop() == 0
    assert not [event for event in house.events() if ".check." in event["type"]]


def test_without_a_daemon_it_says_so(house: House) -> None:
    assert "no daemon answers" in house.command("inspect", "list", code=1)
    assert "no daemon answers" in house.command("inspect", "admit", "abcdef", code=1)
