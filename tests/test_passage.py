"""What belongs to one passage, and when tries become an attack."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.clock import Stamp, now
from gateway.credentials import parse_credential
from gateway.passage import Passages, WrongTries
from gateway.types import CardRead, FaceSeen, Plate, PlateSeen

START = now()


def at(seconds: float) -> Stamp:
    return replace(START, mono=START.mono + seconds)


def card(seconds: float, number: str = "62E3086CED", point: str = "door") -> CardRead:
    return CardRead(point, "reader", at(seconds), parse_credential(f"em4100:{number}"))


def face(seconds: float, subject: str = "h:1", point: str = "door") -> FaceSeen:
    return FaceSeen(point, "cam", at(seconds), subject, 0.8, 0.6, 30, "low", "none")


def plate(seconds: float, number: str | None = "鄂J12345", point: str = "door") -> PlateSeen:
    read = Plate(number, number, "02", "5", 0.97, (0.99,)) if number else None
    return PlateSeen(point, "cam", at(seconds), read, 3)


SAME = [
    (card(0), "r-1", face(9.9), "r-1"),
    (face(0), "r-1", card(9.9), "r-1"),
    (card(0), "r-1", plate(3), "r-1"),
    (plate(0), None, plate(4), None),  # the same unknown car
    (card(0), None, card(2), None),  # the same unknown card
    (card(0), "r-1", card(5), "r-1"),  # the door did not open, once more
    (card(3), "r-1", face(0), "r-1"),  # a face whose frame was taken before the card came
]
OTHER = [
    (card(0), "r-1", face(10.1), "r-1"),
    (card(0), "r-1", face(1, "h:2"), "r-2"),
    (card(0), "r-1", card(1, "0000000001"), "r-1"),  # another card of the same holder: another passage
    (card(0), None, card(1, "0000000001"), None),
    (card(0), "r-1", face(1, point="gate"), "r-1"),
    (plate(0), None, plate(1, "鄂J54321"), None),
    (plate(0, None), None, plate(1, None), None),  # two cars without a readable plate
    (plate(0), "r-1", plate(1, "鄂J54321"), "r-1"),
    (card(0), None, plate(1), None),
]


@pytest.mark.parametrize(("first", "who", "second", "whose"), SAME)
def test_evidence_of_one_holder_shares_a_passage(first, who, second, whose) -> None:  # type: ignore[no-untyped-def]
    passages = Passages()
    assert passages.join(first, who) == passages.join(second, whose)


@pytest.mark.parametrize(("first", "who", "second", "whose"), OTHER)
def test_other_evidence_starts_a_new_one(first, who, second, whose) -> None:  # type: ignore[no-untyped-def]
    passages = Passages()
    assert passages.join(first, who) != passages.join(second, whose)


def test_each_uploaded_picture_is_a_passage_of_its_own() -> None:
    passages = Passages()
    first, second = (replace(plate(0), source_file="gate.jpg", token=token) for token in (1, 2))
    assert passages.join(first, None) != passages.join(second, None)
    mine = passages.join(card(1), "r-1")
    seen = replace(face(2), source_file="a.jpg", token=1)
    assert passages.join(seen, "r-1") == mine
    assert passages.join(replace(plate(3), source_file="a.jpg", token=1), "r-1") == mine  # in the same picture
    assert passages.join(replace(plate(4), source_file="b.jpg", token=2), "r-1") != mine


def test_someone_else_in_between_does_not_part_card_and_face() -> None:
    passages = Passages()
    mine = passages.join(card(0), "r-1")
    passages.join(card(1, "0000000001"), "r-2")
    assert passages.join(face(2), "r-1") == mine


def test_five_wrong_tries_in_a_minute_are_an_attack_and_then_counted_anew() -> None:
    tries = WrongTries()
    assert [tries.add("door", at(second)) for second in (0, 10, 20, 30, 60, 61, 62)] == [False] * 4 + [
        True,
        False,
        False,
    ]


def test_tries_without_end_are_an_alarm_a_minute() -> None:
    """Who has the wire of a reader sends hundreds a second, and no alarm is ever shed."""
    tries = WrongTries()
    raised = [number / 10 for number in range(6000) if tries.add("door", at(number / 10))]
    assert 9 <= len(raised) <= 10
    assert not tries.add("gate", at(600))


def test_slow_tries_and_other_points_are_none() -> None:
    tries = WrongTries()
    assert not any(tries.add("door", at(16 * number)) for number in range(20))
    assert not any(tries.add(f"door-{number % 3}", at(number)) for number in range(12))
