"""Ehuoyan (YHY) modules with one-byte lengths, YHY521X, YHY522 and YHY522R: Mifare cards, 19200 baud 8N1, polled.

    host   AA BB   02  20                  22      which card is there?
    module AA BB   06  20  3D 98 62 01     E0      this one
           head    LEN status, data        XOR     LEN counts itself to the last data byte, XOR covers the same
    module AA BB   02  DF                  DD      none: the status of a failure is the command with all bits turned

The rule: after each AA of the body a 00 is sent that counts nowhere, so AA BB always begins a frame. The maker's
modules with lengths of two bytes and a node number (YHY523U, YHY632) speak another protocol and are not read.

Sources: the maker's manuals of the YHY521X (1.0, June 2018) and YHY522R (1.0, December 2018), as manualshive.com keeps
them (2368776, 2368779): frames, the 00 after AA, and the failure on pages 9 and 10, the answer with a UID on page 10,
"auto off" on page 18. The question itself is in none of their pages that could be read: it is in many public programs
for these modules, beside the answer AA BB 02 DF DD where no card is. UIDs of 7 and 10 bytes were seen in none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import reduce
from operator import xor
from typing import TypeVar

from drivers.dialogue import FramedReply, ask
from drivers.framed_reader import Results, attempt
from drivers.iso14443 import card
from drivers.polled_reader import PolledOptions, PolledReader, proving
from drivers.serial_port import Baud, SerialPort
from gateway.credentials import Credential
from gateway.errors import BadFrame
from gateway.text import Text

_HEAD, _STUFFED = 0xAA, 0xBB
_CARD_ID, _SENSE_MODE = 0x20, 0x13
_OFF = b"\x00"
_LONGEST = 64  # what LEN may say; the longest answer, that of a whole sector, has 51
_LIMIT_S = 0.3
_HINT = Text(
    "检查供电、TX/RX 接线与电平（TTL 或 RS232）以及 baud（出厂为 19200）",
    "check its power, the wires TX and RX and their kind (TTL or RS232), and baud (19200 from the maker)",
)
T = TypeVar("T")


class Options(PolledOptions):
    baud: Baud = 19200


def frame(command: int, data: bytes = b"") -> bytes:
    """What the host sends."""
    body = bytes((len(data) + 2, command)) + data
    body += bytes((reduce(xor, body),))
    return b"\xaa\xbb" + body.replace(b"\xaa", b"\xaa\x00")


def parse(body: bytes) -> bytes:
    """What follows AA BB in one whole frame, the added 00s taken out → status and data. Raises `BadFrame`."""
    if len(body) < 3 or body[0] != len(body) - 1:
        raise BadFrame(f"{len(body)} bytes, not what their length says", reason="length")
    if reduce(xor, body):  # with its own check byte the XOR is zero
        raise BadFrame("the check byte does not fit", reason="checksum")
    return body[1:-1]


def cards(carried: bytes) -> list[Credential] | None:
    """Status and data → the card, none, or None where they answer something else. Raises `BadFrame`."""
    status, uid = carried[0], carried[1:]
    if status == _CARD_ID ^ 0xFF:
        return []
    if status != _CARD_ID or not uid:  # without data it is a question
        return None
    return [card(uid)]


class Framer:
    """Finds frames in a stream (`drivers.dialogue.Finder`). Holds less than one frame between calls."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._inside = False  # a frame, after AA BB
        self._marked = False  # the byte before was AA

    def frames(self, data: bytes) -> list[bytes | BadFrame]:
        found: list[bytes | BadFrame] = []
        for byte in data:
            marked, self._marked = self._marked, byte == _HEAD
            if marked and byte == _STUFFED:
                found += self._abandon("resync", self._body[:-1])  # the AA was not its own
                self._inside = True
            elif marked and byte and self._inside:
                found += self._abandon("framing", self._body)
            elif self._inside and not marked:
                found += self._add(byte)
        return found

    def feed(self, data: bytes) -> Results:
        """The cards alone, as `gateway.contracts.Framer` has it: a recording can be played."""
        return [result for found in self.frames(data) for result in _cards_of(found)]

    def silence(self) -> Results:
        self._marked = False
        return list(self._abandon("timeout", self._body))

    def _add(self, byte: int) -> list[bytes | BadFrame]:
        self._body.append(byte)
        size = self._body[0] + 1
        if not 3 <= size <= _LONGEST + 1:
            return list(self._abandon("length", self._body))
        if len(self._body) < size:
            return []
        body = bytes(self._body)
        self._body.clear()
        self._inside = False
        return [attempt(parse, body)]

    def _abandon(self, reason: str, held: bytearray) -> list[BadFrame]:
        size, inside = len(held), self._inside
        self._body.clear()
        self._inside = False
        return [BadFrame(f"{size} bytes of a frame", reason=reason)] if inside else []


def _cards_of(found: bytes | BadFrame) -> Results:
    result = found if isinstance(found, BadFrame) else attempt(cards, found)
    return [result] if isinstance(result, BadFrame) else list(result or [])


def _sense_mode_answered(carried: bytes) -> bool | None:
    return True if carried[0] in (_SENSE_MODE, _SENSE_MODE ^ 0xFF) else None


class Yhy:
    """An open module."""

    def __init__(self, port: SerialPort) -> None:
        self._port = port

    def start(self) -> None:
        """Have it speak only when asked, where it knows how, and be sure that it does. Raises as `look`."""
        with suppress(BadFrame):
            self._ask(frame(_SENSE_MODE, _OFF), _sense_mode_answered)
        self.look()

    def look(self) -> Results:
        """Whether there is a card. Raises `BadFrame` and `DeviceLost`."""
        return list(self._ask(frame(_CARD_ID), cards))

    def _ask(self, question: bytes, judge: Callable[[bytes], T | None]) -> T:
        return ask(self._port, question, FramedReply(Framer(), judge), _LIMIT_S)


def framer(_options: Options) -> Framer:
    return Framer()


def connect(options: Options) -> PolledReader:
    """Open the port and ask for the first time. Raises `DeviceLost`."""
    port = SerialPort(options.port, options.baud)
    module = Yhy(port)
    with proving(port.close, _HINT):
        module.start()
    return PolledReader(module.look, port.close, options.poll_s, _HINT)
