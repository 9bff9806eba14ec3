"""A question to a device on a serial port, and its answer: for readers and relays that are asked.

Its rule: what came before the question answers nothing, and no answer is waited for longer than its limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from drivers.framed_reader import Results, noise
from drivers.serial_port import SILENCE_S, SerialPort
from gateway.errors import BadFrame
from gateway.text import Text

T = TypeVar("T")
Answer = TypeVar("Answer", covariant=True)


class Reply(Protocol[Answer]):
    """What is being made of the bytes that follow a question."""

    def take(self, data: bytes) -> Answer | None:
        """The next bytes, none for a silence of 100 ms; None while the answer is not there. Raises `BadFrame`."""

    def missing(self) -> BadFrame:
        """What to say where it did not come in time."""


class Finder(Protocol):
    """Finds frames in a stream. Bounded, pure; a `BadFrame` is told as a frame among the others."""

    def frames(self, data: bytes) -> list[bytes | BadFrame]:
        """The next bytes, however the wire cut them: what the frames carry that they completed."""

    def silence(self) -> Results:
        """The wire was silent for 100 ms: drop what is half received, with a `BadFrame`."""


def ask(port: SerialPort, question: bytes, reply: Reply[T], limit_s: float) -> T:
    """Ask, and wait `limit_s` and at most 0.1 s more. Raises `BadFrame` without a sound answer, and `DeviceLost`."""
    port.discard()
    port.write(question)
    deadline = time.monotonic() + limit_s
    while True:
        left = deadline - time.monotonic()
        answer = reply.take(port.receive())
        if answer is not None:
            return answer
        if left < SILENCE_S and time.monotonic() > deadline:  # else this box stood still: the answer may lie there
            raise reply.missing()


class FramedReply(Generic[T]):
    """A `Reply` out of frames: the first of which `judge` makes something."""

    def __init__(self, finder: Finder, judge: Callable[[bytes], T | None]) -> None:
        self._finder = finder
        self._judge = judge
        self._heard = self._explained = False  # bytes; a frame among them

    def take(self, data: bytes) -> T | None:
        if not data:
            return self._sound(self._finder.silence())
        self._heard = True
        return self._sound(self._finder.frames(data))

    def _sound(self, frames: Sequence[object]) -> T | None:
        for frame in frames:
            self._explained = True
            if isinstance(frame, BadFrame):
                raise frame
            if isinstance(frame, bytes) and (answer := self._judge(frame)) is not None:
                return answer
        return None

    def missing(self) -> BadFrame:
        if self._heard and not self._explained:
            return noise()
        return BadFrame(Text("没有应答", "no answer"), reason="timeout")
