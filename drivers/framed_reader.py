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
        self._heard = False  # bytes since the last silence
        self._explained = False  # whether they gave a card or a bad frame

    def read(self) -> Results:
        data = self._port.receive()
        results = self._framer.feed(data) if data else self._framer.silence()
        self._heard = self._heard or bool(data)
        self._explained = self._explained or bool(results)
        if not data:
            if self._heard and not self._explained:
                results = [noise()]
            self._heard = self._explained = False
        return results

    def close(self) -> None:
        self._port.close()


def noise() -> BadFrame:
    """Bytes came, but nothing in them is a frame."""
    return BadFrame(
        Text("收到的字节无法识别", "bytes without a frame"),
        reason="noise",
        hint=Text("波特率或驱动是否选对？", "are the baud rate and the driver right?"),
    )
