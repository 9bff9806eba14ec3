"""What a broker refuses is seen, and sent again when somebody says so; against a real daemon and a real ACL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import KNOWN, SerialLine, Subscriber, door_house
from tests.real import Mosquitto, wait_until


@pytest.fixture
def line() -> Iterator[SerialLine]:
    line = SerialLine()
    yield line
    line.close()


def test_refused_events_are_listed_and_sent_again_without_a_restart(tmp_path: Path, line: SerialLine) -> None:
    acl = tmp_path / "acl"
    open_to_us = ("event/device", "event/audit", "status")
    rules = ["topic read #", *(f"topic write compound/v1/+/+/{leaf}" for leaf in open_to_us)]
    acl.write_text("\n".join(rules) + "\n")
    with Mosquitto(tmp_path / "broker", f"acl_file {acl}") as broker, Subscriber(broker.port) as platform:
        house = door_house(tmp_path, line, broker)
        with house:
            house.wait_online("reader")
            line.present(KNOWN)
            wait_until(lambda: house.status()["uplinks"]["city"]["dead"] == 1)
            assert house.status()["uplinks"]["city"]["refusals"] == {"Not authorized": 1}
            assert "compound-gateway uplink dead city" in house.command("status")
            (letter,) = [json.loads(said) for said in house.command("uplink", "dead", "--json").splitlines()]
            assert (letter["uplink"], letter["type"]) == ("city", "compound.access.granted.v1")
            assert "Not authorized: 东门人行1: card granted" in house.command("uplink", "dead", "city")
            assert "still refused: 1;" in house.command("uplink", "retry", code=1)
            acl.write_text("topic readwrite #\n")
            broker.reload()
            assert "nothing was refused" in house.command("uplink", "retry", "city")
            wait_until(lambda: platform.events("access.granted"))
            assert platform.events("access.granted")[0]["sequence"] == letter["sequence"]
            assert "there is no uplink 'town'" in house.command("uplink", "retry", "town", code=1)
