"""Who is told of a card, and how long: nobody but the one who asked, one card, and only while asking."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gateway.asked_cards import AskedCards
from gateway.board import Board
from gateway.clock import Stamp, now
from gateway.credentials import Credential, parse_credential
from gateway.types import CardRead, DeviceStatus

FOB = parse_credential("em4100:0B00C0FFEE")
OTHER = parse_credential("w26:8-27885")


class Desk:
    """The askings of a house with two readers, and what the doorkeeper was handed."""

    def __init__(self) -> None:
        self.board = Board()
        self.judged: list[Credential] = []
        self.asked = AskedCards(self._judge, self.board)
        for name in ("east", "west"):
            self.board.device(name, "reader", "door", DeviceStatus.ONLINE)

    def _judge(self, read: CardRead) -> bool:
        self.judged.append(read.credential)
        return True

    def present(self, card: Credential, reader: str = "east", stamp: Stamp | None = None) -> bool:
        return self.asked.observe(CardRead("door", reader, stamp or now(), card))

    def ask(self, asker: str = "a", reader: str = "east", **more: Any) -> str:
        """The state of the answer, or the card as hex."""
        answer = self.asked.answer({"do": "next_card", "reader": reader, "asker": asker, **more})
        return str(answer.get("value") or answer["state"])


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_first_card_since_is_told_once_and_every_card_is_judged(desk: Desk) -> None:
    desk.present(OTHER)
    assert desk.ask() == "waiting"
    assert desk.present(FOB)
    desk.present(OTHER)
    assert desk.ask() == "0b00c0ffee"
    assert desk.ask() == "waiting"
    assert desk.judged == [OTHER, FOB, OTHER]


def test_a_card_at_another_reader_is_not_told(desk: Desk) -> None:
    assert desk.ask() == "waiting"
    desk.present(FOB, "west")
    assert desk.ask() == "waiting"


def test_a_card_of_before_the_question_is_not_told(desk: Desk) -> None:
    """The doorkeeper may have been behind, and the reader's thread have waited for it with the card in hand."""
    before = now()
    assert desk.ask() == "waiting"
    desk.present(FOB, stamp=before)
    assert desk.ask() == "waiting"


def test_nobody_else_is_told(desk: Desk) -> None:
    assert desk.ask("a") == "waiting"
    desk.present(FOB)
    assert desk.ask("b") == "taken"
    assert desk.ask("b", end=True) == "taken"
    assert desk.ask("b", "west") == "waiting"
    assert desk.ask("a") == "0b00c0ffee"
    assert desk.ask("b") == "waiting"


def test_an_asking_that_was_ended_leaves_nothing(desk: Desk) -> None:
    assert desk.ask() == "waiting"
    desk.present(FOB)
    assert desk.ask(end=True) == "ended"
    assert desk.ask() == "waiting"


def test_an_asking_that_is_not_repeated_lapses_with_its_card(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.asked_cards.LEASE_S", 0.05)
    for card_comes_in_time in (True, False):
        assert desk.ask("a") == "waiting"
        if card_comes_in_time:
            desk.present(FOB)
        time.sleep(0.06)
        desk.present(FOB)
        assert desk.ask("b") == "waiting"
        assert desk.ask("b", end=True) == "ended"


def test_a_question_that_is_repeated_does_not_lapse(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.asked_cards.LEASE_S", 1.0)
    began = now()
    while now().mono < began.mono + 1.5:
        assert desk.ask() == "waiting"
        time.sleep(0.05)
    desk.present(FOB, stamp=Stamp(began.time, began.mono + 0.5, began.trust))  # the asking is as old as its beginning
    assert desk.ask() == "0b00c0ffee"


@pytest.mark.parametrize("question", [{}, {"reader": None}, {"reader": ["east"], "asker": {}}, {"reader": "estate"}])
def test_a_reader_that_has_not_reported_is_no_reader(desk: Desk, question: dict[str, Any]) -> None:
    assert desk.asked.answer(question) == {"state": "no-reader"}


def test_a_reader_off_line_says_why_and_one_that_complains_is_asked(desk: Desk) -> None:
    desk.board.device("east", "reader", "door", DeviceStatus.OFFLINE, "no such port")
    desk.board.device("west", "reader", "door", DeviceStatus.FAULT, "tampered with")
    assert desk.asked.answer({"reader": "east"}) == {"state": "offline", "detail": "no such port"}
    assert desk.asked.answer({"reader": "west"}) == {"state": "waiting"}
