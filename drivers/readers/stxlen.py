"""Readers of the 7941 class: EM4100 and Mifare numbers in frames that tell their length, 9600 baud 8N1, push.

    02   0A   02    06 00 8E 6D 5D   B0   03        type 02: EM4100, five bytes, 10 in all
    02   09   01    6B 3D 12 D6      9A   03        type 01: Mifare, four bytes, 9 in all
    STX  LEN  TYPE  number           BCC  ETX       BCC: XOR of everything from LEN to the number's last byte

The rule: marks may occur inside a number, so LEN alone says where a frame ends. After a bad frame the search for the
next begins at its second byte.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import xor

from drivers.framed_reader import FramedReader, Results, attempt
from drivers.serial_port import SerialOptions, SerialPort
from gateway.credentials import Credential, Format
from gateway.errors import BadFrame

STX, ETX = 0x02, 0x03
_KINDS = {(0x0A, 0x02): Format.EM4100, (0x09, 0x01): Format.HEX}
_HEAD = re.compile(rb"\x02(?:\Z|\x0A(?:\Z|\x02)|\x09(?:\Z|\x01))")  # of a frame, or as much of it as has come


class Options(SerialOptions):
    """`port` and `baud`; there is nothing else to choose."""


def parse(frame: bytes) -> Credential:
    """One whole frame. Raises `BadFrame`."""
    if len(frame) < 3 or frame[0] != STX or frame[1] != len(frame) or frame[-1] != ETX:
        raise BadFrame(f"{len(frame)} bytes are not STX, their length, …, ETX")
    form = _KINDS.get((frame[1], frame[2]))
    if form is None:
        raise BadFrame(f"no card has type {frame[2]:#04x} in {frame[1]} bytes", reason="type")
    if reduce(xor, frame[1:-1]):  # with its own check byte the XOR is zero
        raise BadFrame("the check byte does not fit", reason="checksum")
    return Credential(form, frame[3:-2])


class Framer:
    """Finds frames in a stream (`gateway.contracts.Framer`). Holds less than one frame between calls."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Results:
        self._waiting += data
        results: Results = []
        while head := _HEAD.search(self._waiting):
            del self._waiting[: head.start()]  # noise
            if len(self._waiting) < 2 or len(self._waiting) < self._waiting[1]:
                return results
            result = attempt(parse, bytes(self._waiting[: self._waiting[1]]))
            results.append(result)
            del self._waiting[: 1 if isinstance(result, BadFrame) else self._waiting[1]]
        self._waiting.clear()
        return results

    def silence(self) -> Results:
        size = len(self._waiting)
        self._waiting.clear()
        return [BadFrame(f"{size} bytes of a frame", reason="timeout")] if size else []


def framer(_options: Options) -> Framer:
    return Framer()


def connect(options: Options) -> FramedReader:
    """Open the reader. Raises `DeviceLost`."""
    return FramedReader(SerialPort(options.port, options.baud), framer(options))
