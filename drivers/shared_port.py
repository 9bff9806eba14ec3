"""One open serial port for several devices of this process: the relays of one board, the boards of one RS-485 line.

Its rule: one device speaks at a time, orders before questions, and when one finds the port dead it is dead for all, so
that the first to reconnect opens it anew. A port that takes long to open holds up nobody on another one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from drivers.serial_port import SerialPort, other_baud, place
from gateway.errors import DeviceLost
from gateway.text import Text

_TURN_S = 1.0
_TURN_TO_ASK_S = 0.05  # a reader has half a second for everything, and asks again soon
_CLOSED = Text("串口未打开或正忙", "the port is closed or busy")


class _Line:
    """A port, open from its first turn on, who uses it, and whose turn it is."""

    def __init__(self, baud: int) -> None:
        self.baud = baud
        self.users = 0
        self.turn = threading.Lock()
        self.orders = 0  # how many wait for their turn
        self.port: SerialPort | None = None
        self.lost = False  # for good: whoever comes anew opens another


_listing = threading.Lock()  # held for a moment only
_lines: dict[str, _Line] = {}


class SharedPort:
    """One device's share of a port."""

    def __init__(self, port: str, baud: int) -> None:
        """Open the port, or join those who have it open. Raises `DeviceLost`."""
        self._key = place(port)
        with _listing:
            line = _lines.get(self._key)
            if line is None:
                line = _Line(baud)
                if not port.startswith("loop:"):  # each loop:// is a wire of its own
                    _lines[self._key] = line
            elif line.baud != baud:
                raise other_baud(port, line.baud)
            line.users += 1
        self._line: _Line | None = line
        self._port = port
        try:
            with self.turn():
                pass
        except DeviceLost:
            self.close()
            raise

    @contextmanager
    def turn(self) -> Iterator[SerialPort]:
        """Have the port to oneself, for an order: no question begins before it. Raises `DeviceLost`."""
        line = self._line
        if line is None:
            raise DeviceLost(_CLOSED)
        with _listing:
            line.orders += 1
        mine = line.turn.acquire(timeout=_TURN_S)
        with _listing:
            line.orders -= 1
        if not mine:
            raise DeviceLost(_CLOSED)
        with self._having(line) as port:
            yield port

    @contextmanager
    def turn_to_ask(self) -> Iterator[SerialPort | None]:
        """Have the port to oneself, for a question; None where it has to wait. Raises `DeviceLost`."""
        line = self._line
        if line is None:
            raise DeviceLost(_CLOSED)
        if not line.turn.acquire(timeout=_TURN_TO_ASK_S):
            yield None
        elif line.orders:
            line.turn.release()
            yield None
        else:
            with self._having(line) as port:
                yield port

    @contextmanager
    def _having(self, line: _Line) -> Iterator[SerialPort]:
        """Ends the turn, and the port where that is lost."""
        try:
            if line.lost:
                raise DeviceLost(_CLOSED)
            line.port = line.port or SerialPort(self._port, line.baud)
            yield line.port
        except DeviceLost:
            self._give_up(line)
            raise
        finally:
            line.turn.release()

    def close(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        with _listing:
            line.users -= 1
            last = line.users == 0
        if last:
            self._give_up(line)

    def _give_up(self, line: _Line) -> None:
        with _listing:
            line.lost = True
            if _lines.get(self._key) is line:
                del _lines[self._key]
        if line.port is not None:
            line.port.close()
