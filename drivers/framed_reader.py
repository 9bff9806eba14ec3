"""A reader that pushes frames: a serial port and a framer, nothing more.

Its rule: a burst of bytes that held no frame at all is told as one bad frame `noise`, because that is how a wrong baud
rate or a wrong driver looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from drivers.serial_port import SerialPort
from gateway.contracts import Framer
from gateway.credentials import Credential
from gateway.errors import BadFrame
from gateway.text import Text

Results = list[Credential | BadFrame]
T = TypeVar("T")


def attempt(parse: Callable[[bytes], T], frame: bytes) -> T | BadFrame:
    """Parse one frame; a `BadFrame` becomes a result among the others."""
    try:
        return parse(frame)
    except BadFrame as error:
        return error


class FramedReader:
    """A `gateway.contracts.Reader`. Owns the port."""

    def __init__(self, port: SerialPort, framer: Framer) -> None:
        self._port = port
        self._framer = framer
        self._burst = 0  # bytes since the last silence
        self._explained = False  # whether they gave a card or a bad frame

    def read(self) -> Results:
        data = self._port.receive()
        results = self._framer.feed(data) if data else self._framer.silence()
        self._burst += len(data)
        self._explained = self._explained or bool(results)
        if not data:
            if self._burst and not self._explained:
                results = [_noise(self._burst)]
            self._burst, self._explained = 0, False
        return results

    def close(self) -> None:
        self._port.close()


def _noise(size: int) -> BadFrame:
    return BadFrame(
        f"{size} bytes without a frame",
        reason="noise",
        hint=Text("波特率或驱动是否选对？", "are the baud rate and the driver right?"),
    )
