"""A wire for tests: the ways bytes may be cut, and a real tty (pseudo-terminal) that can be unplugged."""

from __future__ import annotations

import os
import random
import select
import time
import tty
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from gateway.contracts import Framer, Reader
from gateway.credentials import Credential
from gateway.errors import BadFrame
from tests.real import PATIENCE_S
from tests.standstill import awake

Results = Sequence[Credential | BadFrame]


def whole(data: bytes) -> list[bytes]:
    return [data]


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def random_pieces(data: bytes) -> list[bytes]:
    """Pieces of 1 to 9 bytes, the same for the same data."""
    dice = random.Random(data)
    pieces = []
    while data:
        size = dice.randint(1, 9)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


CUTS = [whole, byte_by_byte, random_pieces]


def play(framer: Framer, pieces: Iterable[bytes]) -> Results:
    """Feed the pieces, then let the wire be silent."""
    results: list[Credential | BadFrame] = []
    for piece in pieces:
        results += framer.feed(piece)
    return [*results, *framer.silence()]


def read_for(reader: Reader, seconds: float, into: list[Any] | None = None) -> Results:
    """All that it reads meanwhile; no look may take much longer than the contract allows."""
    results: list[Any] = [] if into is None else into
    end = awake() + seconds
    while awake() < end:
        start = awake()
        results += reader.read()
        assert awake() - start < 1.0  # half a second, and as much for a busy box
    return results


def cards(results: Results) -> list[str]:
    return [result.written() for result in results if isinstance(result, Credential)]


def faults(results: Results) -> list[str]:
    return [result.reason for result in results if isinstance(result, BadFrame)]


class Tty:
    """A device on a pseudo-terminal: `path` is what a driver opens."""

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        os.close(slave)

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    def received(self, size: int, seconds: float = PATIENCE_S) -> bytes:
        """The next `size` bytes that the driver wrote, or as many as came in time."""
        data = b""
        deadline = awake() + seconds
        while len(data) < size and awake() < deadline:
            if select.select([self._master], [], [], 0.05)[0]:
                try:
                    data += os.read(self._master, size - len(data))
                except OSError:  # nobody has it open
                    time.sleep(0.01)
        return data

    def heard(self, seconds: float) -> bytes:
        """What the driver wrote next; nothing where nothing comes in time."""
        if select.select([self._master], [], [], seconds)[0]:
            try:
                return os.read(self._master, 1024)
            except OSError:  # nobody has it open
                time.sleep(0.01)
        return b""

    def fileno(self) -> int:
        return self._master

    def unplug(self) -> None:
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.unplug()
