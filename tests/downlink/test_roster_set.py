"""A platform keeps the roster: whole, then by deltas, applied in one transaction or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from tests.downlink.parts import CARD, PREFIX, Gateway, Platform, soon
from tests.real import Mosquitto, wait_until


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"holder_id": f"p-{number}", "name": f"住户{number}", "points": ["*"], "cards": [f"w26:9-{number}"], **more}


def test_a_whole_roster_and_its_deltas(tmp_path: Path, broker: Mosquitto, protocol: str) -> None:
    platform = Platform(broker.port, protocol)
    with Gateway(tmp_path, broker.port, protocol).running() as gateway:
        ack = platform.set_roster({"version": 7, "full": True, "items": [item(1), item(2)]})
        assert ack.items() >= {"dataset": "holders", "version": 7, "ok": True, "code": "done"}.items()
        assert ack["result"].items() >= {"added": 2, "removed": 2}.items()
        wait_until(lambda: gateway.who_has("w26:9-1") == "active")  # in force without a word from anybody
        assert gateway.who_has(CARD) is None
        delta = [{"holder_id": "p-1", "deleted": True}, item(2, status="lost"), item(3)]
        ack = platform.set_roster({"version": 8, "base": 7, "full": False, "items": delta})
        assert ack["version"] == 8
        assert ack["result"].items() >= {"added": 1, "updated": 1, "removed": 1}.items()
        wait_until(lambda: gateway.who_has("w26:9-3") == "active")
        assert (gateway.who_has("w26:9-1"), gateway.who_has("w26:9-2")) == (None, "lost")
        assert platform.order("roster.sync")["result"]["version"] == 8
        audit = {"command": "roster.set", "dataset": "holders", "version": 8, "ok": True, "ordered_by": "city"}
        wait_until(lambda: any(found.items() >= audit.items() for found in gateway.audits()))
    platform.close()


def test_a_delta_that_does_not_follow_asks_for_the_whole(gateway: Gateway, platform: Platform) -> None:
    platform.set_roster({"version": 5, "full": True, "items": [item(1)]})
    before = gateway.roster.list()
    for body in (
        {"version": 9, "base": 8, "items": [item(2)]},
        {"version": 4, "base": 5, "items": [item(2)]},
        {"version": 5, "base": 4, "items": [item(2)]},
        {"version": 3, "full": True, "items": [item(2)]},  # somebody plays an old one again
    ):
        ack = platform.set_roster(body)
        assert (ack["ok"], ack["code"], ack["version"]) == (False, "out_of_step", 5)
    assert gateway.roster.list() == before


def test_the_same_delta_again_is_confirmed_and_changes_nothing(gateway: Gateway, platform: Platform) -> None:
    body = {"version": 5, "full": True, "items": [item(1)]}
    platform.set_roster(body)
    before = gateway.roster.version()
    ack = platform.set_roster(body)
    assert (ack["ok"], ack["version"]) == (True, 5)
    assert gateway.roster.version() == before


def test_one_fault_refuses_them_all_and_no_number_is_told(gateway: Gateway, platform: Platform) -> None:
    items = [
        item(1),
        {"holder_id": "p-9", "deleted": True},
        item(2, cards=["em4100:62E3086CED"]),  # r-0502's
        item(3, points=["nowhere"]),
        item(4, cards=["w26:300-1"], valid_from="yesterday"),
    ]
    ack = platform.set_roster({"version": 1, "base": 0, "items": items})
    assert (ack["ok"], ack["code"], ack["version"]) == (False, "faults", 0)
    places = {(fault["item"], fault["column"]) for fault in ack["result"]["faults"]}
    assert places == {(3, "cards"), (4, "points"), (5, "cards"), (5, "valid_from")}
    assert "62E3" not in json.dumps(ack)
    assert "r-0502" not in json.dumps(ack)
    assert len(gateway.roster.list()) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[" * 5000,
        b"[]",
        {"version": 1, "full": True},
        {"version": 1, "items": []},
        {"version": 0, "full": True, "items": []},
        {"version": "1", "full": True, "items": []},
        {"version": 1, "full": "yes", "items": []},
        {"version": 1, "full": True, "items": [7]},
        {"version": 1, "full": True, "items": [], "force": True},
        {"version": 1, "base": 0, "items": [{"holder_id": "r-0502", "deleted": False}]},
        {"version": 1, "base": 0, "items": [{"holder_id": ["r-0502"], "deleted": True}]},
        {"version": 1, "full": True, "items": [], "expires_at": soon(-1)},
    ],
)
def test_a_hostile_roster_is_refused_in_words(gateway: Gateway, platform: Platform, body: Any) -> None:
    ack = platform.set_roster(body)
    assert ack["ok"] is False
    assert ack["code"] in {"bad_request", "expired"}
    assert ack["message"]
    assert ack["version"] == 0
    assert len(gateway.roster.list()) == 2


def test_other_datasets_are_not_known(gateway: Gateway, platform: Platform) -> None:
    ack = platform.set_roster({"version": 1, "full": True, "items": []}, dataset="cars")
    assert ack["code"] == "unknown_dataset"
    assert "holders" in ack["message"]
    assert len(gateway.roster.list()) == 2


def test_a_large_roster_stays_out_of_the_door_process(gateway: Gateway, platform: Platform) -> None:
    """10,000 holders; the doors' process does not grow by them, and a door opens while it is being applied."""
    body = {"version": 1, "full": True, "items": [item(n % 65536, holder_id=f"p-{n}") for n in range(10_000)]}
    payload = json.dumps(body).encode()
    rss = psutil.Process().memory_info().rss
    platform.publish("roster/holders/set", payload)
    assert platform.order("door.open", "a1", point="door")["ok"] is True
    wait_until(lambda: platform.acks(f"{PREFIX}/roster/holders/ack"))
    answers = [message.topic for message in platform.messages if message.topic.endswith(("reply/a1", "holders/ack"))]
    assert answers[-1].endswith("holders/ack")  # the door did not wait for the roster
    assert platform.acks(f"{PREFIX}/roster/holders/ack")[0]["result"]["added"] == 10_000
    wait_until(lambda: len(gateway.register()) == 10_000)
    assert psutil.Process().memory_info().rss - rss < 40 << 20  # of it the register itself


def test_a_message_beyond_all_bounds_stays_at_the_broker(gateway: Gateway, platform: Platform) -> None:
    platform.publish("roster/holders/set", bytes(10 << 20))
    platform.publish("cmd/a1", bytes(10 << 20))
    assert platform.order("ping")["ok"] is True
    assert gateway.count("connects") == 1
    assert platform.set_roster(bytes(8 << 20) + b"1")["code"] == "too_large"
