"""Questions to a device, and a box that stands still before it has read the answer."""

from __future__ import annotations

import time

import pytest

from drivers.dialogue import ask
from drivers.serial_port import SerialPort
from gateway.errors import BadFrame
from tests.wire import Tty


class Held:
    """Makes an answer of any bytes; at the first silence the device answers, and the box stands still."""

    def __init__(self, device: Tty, answers: bool) -> None:
        self._device, self._answers = device, answers
        self._has_stood_still = False

    def take(self, data: bytes) -> bytes | None:
        if not data and not self._has_stood_still:
            self._has_stood_still = True
            if self._answers:
                self._device.send(b"answer")
            time.sleep(0.5)
        return data or None

    def missing(self) -> BadFrame:
        return BadFrame("no answer", reason="timeout")


def test_an_answer_that_lay_there_when_the_box_went_on_is_one() -> None:
    """A relay that had confirmed was taken for lost, and a reader for silent."""
    with Tty() as device:
        port = SerialPort(device.path, 9600)
        assert ask(port, b"question", Held(device, answers=True), 0.3) == b"answer"
        port.close()


def test_whoever_stood_still_does_not_wait_anew() -> None:
    with Tty() as device:
        port = SerialPort(device.path, 9600)
        with pytest.raises(BadFrame):
            ask(port, b"question", Held(device, answers=False), 0.3)
        port.close()
