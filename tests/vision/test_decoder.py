"""The decoder's loop, without its process: what it decodes, what it shows, and when it rests."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import pytest

from gateway.clock import ClockTrust, Stamp, now
from gateway.errors import BadFrame
from gateway.text import Language
from gateway.types import Frame
from gateway.vision import decoder as decoding
from gateway.vision.decoder import Decoder, OrdersEnded, Post
from gateway.vision.handover import ORDERS, REPORTS, Alive, FromDecoder, Opened, Shown, Spoilt, Taken, Task
from gateway.vision.slots import Slots
from tests.real import PATIENCE_S, wait_until


class Street:
    """Fifty frames a second; all alike while `moving` is not set."""

    def __init__(self) -> None:
        self.moving = threading.Event()
        self.seen = self.skipped = 0

    def read(self) -> Frame | None:
        time.sleep(0.02)
        self.seen += 1
        pixels = np.zeros((60, 96, 3), np.uint8)
        if self.moving.is_set():
            pixels[10:50, self.seen * 7 % 60 :][:, :30] = 200
        return Frame(pixels, now())

    def skip(self) -> bool:
        time.sleep(0.02)
        self.skipped += 1
        return True

    def close(self) -> None:
        pass


class Side:
    """The other ends of its pipes: hears all, and gives each slot back at once."""

    def __init__(self, fps: float = 10.0, *, gated: bool = True) -> None:
        self.camera = Street()
        self._orders, self._into = os.pipe()
        self._out, self._lines = os.pipe()
        task = Task("cam", "test", {}, fps, [], Language.EN, gated, [])
        self._decoder = Decoder(self.camera, task, Slots.made(), Post(self._orders, self._lines))
        self.said: list[FromDecoder] = []
        self.takes = True
        self._writing = threading.Lock()  # nothing is written where the pipe is closed, and something else may be open
        self._thread = threading.Thread(target=self._decode)
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def _decode(self) -> None:
        with pytest.raises(OrdersEnded):
            self._decoder.run()

    def _listen(self) -> None:
        half = b""
        while chunk := os.read(self._out, 1 << 16):
            *whole, half = (half + chunk).split(b"\n")
            for line in whole:
                message = REPORTS.decode(line + b"\n")
                self.said.append(message)
                with self._writing:
                    if isinstance(message, Shown) and self.takes:
                        os.write(self._into, ORDERS.encode(Taken(message.slot, looked=True)))

    @contextmanager
    def running(self) -> Iterator[Side]:
        self._thread.start()
        self._listener.start()
        try:
            yield self
        finally:
            with self._writing:
                self.takes = False
                os.close(self._into)
            self._thread.join(PATIENCE_S)
            assert not self._thread.is_alive()
            os.close(self._lines)
            self._listener.join(PATIENCE_S)
            os.close(self._orders)
            os.close(self._out)

    def shown(self) -> int:
        return sum(isinstance(one, Shown) for one in list(self.said))

    def rests(self) -> bool:
        alive = [one for one in list(self.said) if isinstance(one, Alive)]
        return bool(alive) and alive[-1].resting


def test_frames_between_two_looks_are_let_pass_unseen() -> None:
    with Side(fps=5.0).running() as side:
        side.camera.moving.set()
        wait_until(lambda: side.shown() >= 6)
        assert side.camera.skipped > side.camera.seen  # nine times as many, where there is time
    assert side.said[0] == Opened(stills=False)


def test_a_still_street_is_looked_at_a_few_times_and_then_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LINGER_S", 0.5)
    with Side().running() as side:
        wait_until(side.rests)
        looks = side.shown()
        assert looks >= decoding.LEAST_LOOKS
        time.sleep(1.0)
        assert side.shown() == looks
        side.camera.moving.set()
        wait_until(lambda: side.shown() >= looks + 5)
        assert not side.rests()
        side.camera.moving.clear()
        wait_until(side.rests)


def test_it_does_not_rest_before_it_was_looked_at_often_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LINGER_S", 0.2)
    side = Side()
    side.takes = False  # a box too slow to look
    with side.running():
        wait_until(lambda: side.shown() == 2)
        time.sleep(1.0)
        assert not side.rests()
        assert side.shown() == 2  # both slots are full: nothing is overwritten


def test_even_a_still_street_gets_a_glance_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LINGER_S", 0.2)
    monkeypatch.setattr(decoding, "GLANCE_S", 0.5)
    with Side().running() as side:
        wait_until(side.rests)
        looks = side.shown()
        wait_until(lambda: side.shown() >= looks + 2)
        assert side.rests()


def test_who_aims_the_camera_sees_also_what_is_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LINGER_S", 0.2)
    with Side(gated=False).running() as side:
        wait_until(lambda: side.shown() > 15)
        assert not side.rests()


@pytest.mark.parametrize(
    "never",
    [
        Stamp(datetime(2026, 11, 22, 8), 1.0, ClockTrust.SYNCED),  # without its offset
        Stamp(datetime(2026, 11, 22, 8, tzinfo=UTC), 1e300, ClockTrust.SYNCED),
        Stamp(datetime.max.replace(tzinfo=UTC), 1.0, ClockTrust.SYNCED),
    ],
)
def test_a_picture_of_a_moment_that_never_was_is_not_believed(never: Stamp) -> None:
    for message in (Shown(0, 96, 60, never), Spoilt(never, "a.jpg", "a.jpg/0/1", "it is empty")):
        with pytest.raises(BadFrame):
            REPORTS.decode(REPORTS.encode(message))
