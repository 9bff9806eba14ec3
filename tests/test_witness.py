"""When a face confirms a card, when it contradicts it, and when it says nothing."""

from __future__ import annotations

from dataclasses import replace

from gateway.clock import Stamp, now
from gateway.credentials import parse_credential
from gateway.types import CardRead, FaceSeen, Holder
from gateway.witness import WINDOW_S, Finding, Match, Mismatch, Witness

START = now()
ANN = Holder("r-1", "h:1", "", "resident", "owner", "1-1-1", None)
BEN = Holder("r-2", "h:2", "", "resident", "owner", "1-1-2", None)
LATER = START.mono + 3 * WINDOW_S


def at(seconds: float) -> Stamp:
    return replace(START, mono=START.mono + seconds)


def card(seconds: float, point: str = "door") -> CardRead:
    return CardRead(point, "reader", at(seconds), parse_credential("em4100:62E3086CED"))


def face(holder: Holder, seconds: float, point: str = "door") -> FaceSeen:
    return FaceSeen(point, "cam", at(seconds), holder.ref, 0.8, 0.6, 30, "low", "none")


def acquainted() -> Witness:
    """A witness that has seen both people before, elsewhere."""
    witness = Witness()
    for holder in (ANN, BEN):
        witness.face(face(holder, -60, "lobby"), holder)
    assert not list(witness.overdue(START.mono))
    return witness


def test_a_face_confirms_the_card_before_or_after_it() -> None:
    for first, second in ((0.0, 4.0), (4.0, 0.0)):
        witness = Witness()
        found: list[Finding] = []
        for seconds, what in sorted(((first, "card"), (second, "face"))):
            found += witness.card(card(seconds), ANN, "p") if what == "card" else witness.face(face(ANN, seconds), ANN)
        assert found == [Match(card(first), face(ANN, second), ANN, "p")]
        assert not list(witness.overdue(LATER))


def test_somebody_else_with_the_card_is_told_when_the_time_is_up() -> None:
    witness = acquainted()
    assert not witness.card(card(0), ANN, "p")
    assert not witness.face(face(BEN, 2), BEN)
    assert not list(witness.overdue(START.mono + WINDOW_S))
    assert list(witness.overdue(LATER)) == [Mismatch(card(0), face(BEN, 2), ANN, BEN, "p")]
    assert not list(witness.overdue(LATER))


def test_neighbours_who_come_in_together_are_no_contradiction() -> None:
    witness = acquainted()
    witness.card(card(0), ANN, "p")
    witness.face(face(BEN, 1), BEN)
    assert len(witness.face(face(ANN, 3), ANN)) == 1
    assert not list(witness.overdue(LATER))
    witness = acquainted()
    witness.card(card(0), ANN, "p")
    witness.card(card(1), BEN, "q")  # both showed their cards; Ann looked away
    witness.face(face(BEN, 2), BEN)
    assert not list(witness.overdue(LATER))


def test_a_card_shown_long_ago_excuses_nobody() -> None:
    witness = acquainted()
    witness.card(card(-40), BEN, "q")
    assert not list(witness.overdue(START.mono))
    witness.card(card(0), ANN, "p")
    witness.face(face(BEN, 2), BEN)
    assert len(list(witness.overdue(LATER))) == 1


def test_who_is_not_known_by_face_is_never_suspected() -> None:
    witness = Witness()
    witness.card(card(0), ANN, "p")
    witness.face(face(BEN, 2), BEN)
    assert not list(witness.overdue(LATER))


def test_other_doors_and_other_times_do_not_count() -> None:
    witness = acquainted()
    witness.card(card(0), ANN, "p")
    assert not witness.face(face(ANN, 1, "gate"), ANN)
    assert not witness.face(face(BEN, WINDOW_S + 1), BEN)
    assert not list(witness.overdue(LATER))
