"""RDM6300, RDM630 and their kin: 125 kHz readers that push EM4100 numbers, 9600 baud 8N1.

    02   6 2 E 3 0 8 6 C E D   0 8   03       14 bytes, 14.6 ms, again about every 65 ms while the tag is near
    STX  five bytes as hex     XOR   ETX

The rule: an STX always begins a new frame, for no other byte of a frame can have its value.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import xor

from drivers.framed_reader import FramedReader, Results, attempt
from drivers.serial_port import SerialOptions, SerialPort
from gateway.credentials import Credential, Format
from gateway.errors import BadFrame

STX, ETX, LENGTH = 0x02, 0x03, 14


class Options(SerialOptions):
    """`port` and `baud`; there is nothing else to choose."""


def parse(frame: bytes) -> Credential:
    """One whole frame. Raises `BadFrame`."""
    if len(frame) != LENGTH or frame[0] != STX or frame[-1] != ETX:
        raise BadFrame(f"{len(frame)} bytes are not STX, {LENGTH - 2} digits, ETX")
    return parse_digits(frame[1:-1])


def parse_digits(digits: bytes) -> Credential:
    """Ten hex digits of number and two of check. Raises `BadFrame`."""
    if not re.fullmatch(rb"[0-9A-Fa-f]{12}", digits):  # bytes.fromhex alone would skip blanks
        raise BadFrame("not twelve hex digits", reason="charset")
    *number, check = bytes.fromhex(digits.decode("ascii"))
    if reduce(xor, number) != check:
        raise BadFrame("the check digits do not fit", reason="checksum")
    return Credential(Format.EM4100, bytes(number))


class Framer:
    """Finds frames in a stream (`gateway.contracts.Framer`). Holds at most one frame."""

    def __init__(self) -> None:
        self._frame = bytearray()

    def feed(self, data: bytes) -> Results:
        results: Results = []
        for byte in data:
            if byte == STX:
                results += self._abandon("resync")
            elif not self._frame:
                continue  # noise between frames
            self._frame.append(byte)
            if byte == ETX or len(self._frame) == LENGTH:
                results.append(attempt(parse, bytes(self._frame)))
                self._frame.clear()
        return results

    def silence(self) -> Results:
        return self._abandon("timeout")

    def _abandon(self, reason: str) -> Results:
        size = len(self._frame)
        self._frame.clear()
        return [BadFrame(f"{size} of {LENGTH} bytes", reason=reason)] if size else []


def framer(_options: Options) -> Framer:
    return Framer()


def connect(options: Options) -> FramedReader:
    """Open the reader. Raises `DeviceLost`."""
    return FramedReader(SerialPort(options.port, options.baud), framer(options))
