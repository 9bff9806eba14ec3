"""Whose turn it is on a line: orders go before questions."""

from __future__ import annotations

import threading

import pytest

from drivers import shared_port
from drivers.shared_port import SharedPort
from tests.real import wait_until
from tests.wire import Tty


def test_an_order_that_came_later_goes_before_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_port, "_TURN_TO_ASK_S", 5.0)
    went: list[str] = []
    with Tty() as tty:
        first, asking, ordering = (SharedPort(tty.path, 9600) for _ in range(3))

        def ask() -> None:
            with asking.turn_to_ask() as port:
                went.append("no question" if port is None else "question")

        def order() -> None:
            with ordering.turn():
                went.append("order")

        question, later = threading.Thread(target=ask), threading.Thread(target=order)
        line = first._line
        assert line is not None
        with first.turn():
            question.start()
            question.join(0.1)  # it waits by now
            later.start()
            wait_until(lambda: line.orders)
        for thread in (question, later):
            thread.join()
        assert sorted(went) in (["no question", "order"], ["order", "question"])
        assert went != ["question", "order"]
        for port in (first, asking, ordering):
            port.close()


def test_a_question_does_not_wait_for_its_turn_for_long() -> None:
    with Tty() as tty:
        first, asking = (SharedPort(tty.path, 9600) for _ in range(2))
        with first.turn(), asking.turn_to_ask() as port:
            assert port is None
        with asking.turn_to_ask() as port:
            assert port is not None
        for each in (first, asking):
            each.close()
