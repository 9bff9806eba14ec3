"""EM-18 and other 125 kHz readers that push an EM4100 number without marks, 9600 baud 8N1.

    4 5 0 0 C 5 D 1 E 9   B 8       12 hex digits, nothing else
    five bytes as hex     XOR

The rule: only silence ends a frame, and a burst counts as a whole: all of it is frames, or none of it is.
"""

from __future__ import annotations

from drivers.framed_reader import FramedReader, Results, attempt
from drivers.readers.rdm6300 import parse_digits
from drivers.serial_port import SerialOptions, SerialPort
from gateway.errors import BadFrame

LENGTH = 12
_MOST = 8 * LENGTH  # a reader that repeats without a pause is judged after eight frames


class Options(SerialOptions):
    """`port` and `baud`; there is nothing else to choose."""


class Framer:
    """Collects a burst until silence (`gateway.contracts.Framer`). Holds at most eight frames."""

    def __init__(self) -> None:
        self._burst = bytearray()
        self._deaf = False  # the burst was bad: what follows without a pause is not trusted either

    def feed(self, data: bytes) -> Results:
        results: Results = []
        for byte in data:
            if self._deaf:
                break
            self._burst.append(byte)
            if len(self._burst) == _MOST:
                results += self._judge()
        return results

    def silence(self) -> Results:
        results = self._judge()
        self._deaf = False
        return results

    def _judge(self) -> Results:
        burst = bytes(self._burst)
        self._burst.clear()
        if len(burst) % LENGTH:
            return [BadFrame(f"{len(burst)} digits", reason="timeout" if len(burst) < LENGTH else "length")]
        results = [attempt(parse_digits, burst[at : at + LENGTH]) for at in range(0, len(burst), LENGTH)]
        faults: Results = [result for result in results if isinstance(result, BadFrame)]
        self._deaf = bool(faults)
        return faults[:1] or results


def framer(_options: Options) -> Framer:
    return Framer()


def connect(options: Options) -> FramedReader:
    """Open the reader. Raises `DeviceLost`."""
    return FramedReader(SerialPort(options.port, options.baud), framer(options))
