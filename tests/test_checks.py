"""Whom an entrance does not know: when a check is asked for, how it ends, and what it never holds up."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import jsonschema
import pytest

from gateway.accounts import Outcome, card_event, plate_event, remote_event
from gateway.checks import MOST, Check, Checks, Ending
from gateway.clock import ClockTrust, Stamp
from gateway.credentials import parse_credential
from gateway.schemas import json_schemas
from gateway.settings import Point
from gateway.types import (
    CardRead,
    Decision,
    Direction,
    Event,
    Holder,
    Plate,
    PlateSeen,
    PointKind,
    Reason,
    Verdict,
)
from tests.facts import NOON
from tests.uplink.parts import ZONE

POINTS = {
    "gate": Point(name="车行", kind=PointKind.VEHICLE, direction=Direction.BOTH, check_unknown=True),
    "lodge": Point(name="混行", kind=PointKind.MIXED, direction=Direction.IN, check_unknown=True, check_within=30),
    "door": Point(name="人行", kind=PointKind.PEDESTRIAN, direction=Direction.IN, check_unknown=True),
    "back": Point(name="后门", kind=PointKind.PEDESTRIAN, direction=Direction.IN),
}
GUARD = Holder("s-1", "h:0123456789abcdef", "王五", "staff", "guard", "", None)
OWNER = replace(GUARD, id="r-1", kind="resident", category="owner", valid_from=date(2026, 1, 1))


def at(seconds: float = 0.0, wall: float | None = None) -> Stamp:
    """So long after noon; `wall`: what a clock that was set says."""
    since = timedelta(seconds=seconds if wall is None else wall)
    return Stamp(NOON + since, 5000.0 + seconds, ClockTrust.SYNCED)


def card(
    number: int = 1, point: str = "lodge", reason: Reason = Reason.UNKNOWN, holder: Holder | None = None, **more: Any
) -> Event:
    verdict = Verdict.GRANT if reason is Reason.OK else Verdict.DENY
    given = {"opened": verdict is Verdict.GRANT, "latency_ms": 3, "passage": f"p{number}", **more}
    stamp = given.pop("stamp", at())
    read = CardRead(point, "reader", stamp, parse_credential(f"w26:9-{number}"))
    return card_event(read, POINTS[point], Outcome(Decision(verdict, reason, holder), **given), f"c:{number:016x}")


def car(number: str | None = "沪B30527", point: str = "gate", reason: Reason = Reason.UNKNOWN, **more: Any) -> Event:
    read = Plate(number, number, "02", "5", 0.9, (0.9,) * 7) if number else None
    passage = more.pop("passage", "p1")
    seen = PlateSeen(point, "cam", more.pop("stamp", at()), read, 3, **more)
    return plate_event(seen, POINTS[point], Outcome(Decision(Verdict.DENY, reason), False, 3, passage))


def opening(point: str, request_id: str = "a1", stamp: Stamp | None = None) -> Event:
    facts = {"latency_ms": 3, "ordered_by": "city", "request_id": request_id}
    name = "vehicle.manual_release" if point == "gate" else "access.remote_open"
    return remote_event(name, point, POINTS[point], stamp or at(), facts)


@pytest.fixture
def checks() -> Checks:
    return Checks(POINTS, ZONE)


def ends(told: list[Event]) -> list[tuple[str, str, str]]:
    """The results among them: of which point, how, by what."""
    return [(e.subject, e.data["outcome"], e.data["by"]) for e in told if e.name == "check.result"]


def test_an_unknown_card_asks_for_a_check_with_what_the_refusal_says(checks: Checks) -> None:
    refusal = card()
    (required,) = checks.hear(refusal, at())
    assert (required.name, required.subject, required.passage) == ("check.required", "lodge", refusal.passage)
    assert required.id != refusal.id
    assert required.stamp == refusal.stamp
    shared = ("point", "direction", "device", "method", "method_code", "reason", "credential_ref")
    assert dict(required.data) == {
        **{key: refusal.data[key] for key in shared},
        "expires_at": "2026-11-22T12:00:30.123+08:00",
        "within_s": 30,
    }


@pytest.mark.parametrize(
    ("refusal", "key", "shown"),
    [
        (car("沪B30527"), "plate_no", "沪B30527"),
        (car("沪B3052S", reason=Reason.UNCERTAIN), "candidate", "沪B3052S"),
        (car(None, reason=Reason.UNCERTAIN, source_file="1.jpg"), "source_file", "1.jpg"),
    ],
)
def test_a_car_without_a_known_plate_asks_for_one(checks: Checks, refusal: Event, key: str, shown: str) -> None:
    (required,) = checks.hear(refusal, at())
    assert required.data[key] == shown
    assert required.data["method"] == "plate"
    assert "confidence" not in required.data


@pytest.mark.parametrize(
    "event",
    [
        card(point="back"),  # a point that does not ask
        card(reason=Reason.EXPIRED, holder=OWNER),
        card(reason=Reason.BLOCKED, holder=OWNER),
        card(reason=Reason.OK, holder=OWNER),
        car(point="door"),  # a car before a door for people
        car(direction=Direction.OUT),  # by its track
        card(stamp=at(-30)),  # its time is up: a picture from long ago
        opening("gate"),
        replace(car(), name="verify.match"),  # the second camera at the gate
    ],
)
def test_nothing_else_asks_for_one(checks: Checks, event: Event) -> None:
    assert not checks.hear(event, at())
    assert not checks.open()


def test_a_point_for_those_who_leave_asks_for_none() -> None:
    gate = POINTS["gate"].model_copy(update={"direction": Direction.OUT})
    checks = Checks({"gate": gate}, ZONE)
    seen = PlateSeen("gate", "cam", at(), None, 3)
    told = plate_event(seen, gate, Outcome(Decision(Verdict.DENY, Reason.UNCERTAIN), False, 3, "p"))
    assert not checks.hear(told, at())


def test_who_shows_the_same_again_is_asked_for_once(checks: Checks) -> None:
    for passage in ("p1", "p2", "p3"):
        checks.hear(card(passage=passage), at())
        checks.hear(car(passage=passage), at())
        checks.hear(car(reason=Reason.UNCERTAIN, passage=passage), at())  # the same number, no longer sure
        checks.hear(car(None, reason=Reason.UNCERTAIN, passage="still"), at())
    assert [check.required.passage for check in checks.open()] == ["p1", "still", "p1"]
    assert ends(checks.hear(opening("lodge"), at(1))) == [("lodge", "admitted", "command")]
    assert [event.name for event in checks.hear(card(stamp=at(2)), at(2))] == ["check.required"]  # it ended: anew


def test_an_opening_from_afar_admits_who_waits_there_and_nobody_elsewhere(checks: Checks) -> None:
    (first,) = checks.hear(card(1), at())
    (second,) = checks.hear(card(2), at(1))
    checks.hear(car(), at(1))
    results = checks.hear(opening("lodge", "r-7"), at(2))
    assert [dict(result.data) for result in results] == [
        {
            "point": "lodge",
            "check": required.id,
            "outcome": "admitted",
            "by": "command",
            "ordered_by": "city",
            "request_id": "r-7",
        }
        for required in (first, second)
    ]
    assert [result.passage for result in results] == [first.passage, second.passage]
    assert [check.required.subject for check in checks.open()] == ["gate"]
    assert not checks.hear(opening("lodge", "r-8"), at(3))  # once


def test_staff_admit_by_a_card_of_their_own(checks: Checks) -> None:
    checks.hear(card(1), at())
    for nothing in (
        card(2, reason=Reason.OK, holder=OWNER),  # a neighbour
        card(2, reason=Reason.OK, holder=GUARD, opened=False),  # the relay took no order
        card(2, "back", reason=Reason.OK, holder=GUARD),  # another door
        card(2, reason=Reason.EXPIRED, holder=GUARD),
    ):
        assert not checks.hear(nothing, at(1))
    (result,) = checks.hear(card(2, reason=Reason.OK, holder=GUARD), at(2))
    assert result.data["by"] == "card"
    assert result.data["outcome"] == "admitted"
    assert result.data["credential_ref"] == f"c:{2:016x}"
    assert result.data["holder"]["ref"] == GUARD.ref


@pytest.mark.parametrize("outcome", [Ending.ADMITTED, Ending.REFUSED])
def test_staff_at_the_box_say_how_it_ended(checks: Checks, outcome: Ending) -> None:
    (required,) = checks.hear(card(), at())
    (check,) = checks.open(required.id[-6:])
    audit, result = checks.answer(check, outcome, "li", at(5))
    said = {"point": "lodge", "check": required.id, "outcome": outcome.value}
    assert (audit.name, dict(audit.data)) == ("audit.check_answered", {**said, "by": "li"})
    assert (result.name, dict(result.data)) == ("check.result", {**said, "by": "operator", "operator": "li"})
    assert not checks.open()
    assert not checks.stop(at(6))


def test_nobody_answers_in_time(checks: Checks) -> None:
    checks.hear(card(), at())
    checks.hear(car(), at())
    assert not checks.expire(at(29.9))
    assert ends(checks.expire(at(30))) == [("lodge", "unanswered", "time")]
    assert ends(checks.expire(at(120))) == [("gate", "unanswered", "time")]
    assert not checks.expire(at(121))


def test_a_picture_from_tomorrow_is_no_longer_waited_for_than_others(checks: Checks) -> None:
    checks.hear(car(stamp=at(86_400)), at())
    assert ends(checks.expire(at(120))) == [("gate", "unanswered", "time")]


def test_who_waits_longest_is_named_first(checks: Checks) -> None:
    for event, seconds in ((card(1), 0), (car(stamp=at(1)), 1), (card(2, stamp=at(2)), 2)):
        checks.hear(event, at(seconds))
    assert [check.required.subject for check in checks.open()] == ["lodge", "gate", "lodge"]


def test_an_opening_that_comes_too_late_admits_nobody(checks: Checks) -> None:
    """However late the end was noticed."""
    checks.hear(card(), at())
    assert ends(checks.hear(opening("lodge"), at(31))) == [("lodge", "unanswered", "time")]


@pytest.mark.parametrize("leap", [86_400.0, -86_400.0])
def test_a_clock_that_is_set_neither_ends_a_check_nor_keeps_it_open(checks: Checks, leap: float) -> None:
    checks.hear(card(), at())
    assert not checks.expire(at(29, wall=leap))
    assert ends(checks.expire(at(30, wall=leap))) == [("lodge", "unanswered", "time")]


def test_what_is_open_ends_with_the_gateway(checks: Checks) -> None:
    for event in (card(1), card(2), car()):
        checks.hear(event, at())
    assert sorted(ends(checks.stop(at(1)))) == [("gate", "unanswered", "stop")] + [("lodge", "unanswered", "stop")] * 2
    assert not checks.open()


def test_cards_without_end_take_no_memory_and_each_check_ends_once(checks: Checks) -> None:
    told: list[Event] = checks.hear(car(), at())
    for number in range(500):
        told += checks.hear(card(number), at(number / 100))
    assert len(checks.open()) == MOST + 1  # a point never takes the room of another
    assert set(ends(told)) == {("lodge", "unanswered", "newer")}
    told += checks.stop(at(6))
    required = [event.id for event in told if event.name == "check.required"]
    assert sorted(required) == sorted(event.data["check"] for event in told if event.name == "check.result")
    assert len(set(required)) == 501


def test_every_way_in_which_a_check_ends_is_written_down(checks: Checks) -> None:
    """Strictly: no key that the schema does not name."""
    told: list[Event] = []
    for end in ("command", "card", "operator", "time", "newer", "stop"):
        told += checks.hear(card(), at())
        match end:
            case "command":
                told += checks.hear(opening("lodge"), at())
            case "card":
                told += checks.hear(card(2, reason=Reason.OK, holder=GUARD), at())
            case "operator":
                told += checks.answer(_only(checks), Ending.REFUSED, "li", at())
            case "time":
                told += checks.expire(at(30))
            case "newer":
                for number in range(MOST):
                    told += checks.hear(card(number + 10), at())
            case "stop":
                told += checks.stop(at())
    assert {event.data["by"] for event in told if event.name == "check.result"} == {
        *("command", "card", "operator", "time", "newer", "stop")
    }
    schema = json_schemas()["check"]
    for definition in schema["$defs"].values():
        if definition["type"] == "object":
            definition["additionalProperties"] = False
    for event in told:
        if event.name.startswith("check"):
            jsonschema.validate(event.data, schema)


def _only(checks: Checks) -> Check:
    (check,) = checks.open()
    return check
