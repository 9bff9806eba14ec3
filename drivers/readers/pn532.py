"""NXP PN532 boards in their HSU (serial) mode: Mifare and other ISO 14443 A cards, 115200 baud 8N1, polled.

    host   00 00 FF  04 FC    D4 4A 01 00                            E1 00   is a card there? one, at 106 kbit/s
    chip   00 00 FF  00 FF 00                                                understood (ACK)
    chip   00 00 FF  0C F4    D5 4B 01 01 00 04 08 04 B0 86 4D 25    26 00   one, with a UID of 04 bytes
           start     LEN LCS  TFI, command + 1, data                 DCS     LEN + LCS and TFI … DCS are 0 mod 256
    chip   00 00 FF  03 FD    D5 4B 00                               E0 00   none
    chip   00 00 FF  01 FF    7F                                     81 00   the command was not understood

The rule: an answer counts after the ACK of its question. The chip sleeps after each loss of power and is woken at
every connection; there it is also told to look only twice, for by itself it would not answer before a card comes.
What follows the UID (the ATS of a CPU card) names no card.

Sources: NXP UM0701-02 (frames 6.2.1, SAMConfiguration, RFConfiguration item 5, InListPassiveTarget); the frames above
are published transcripts, see tests/readers/vectors.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from drivers.dialogue import FramedReply, ask
from drivers.framed_reader import Results, attempt
from drivers.iso14443 import card
from drivers.polled_reader import PolledOptions, PolledReader, proving
from drivers.serial_port import Baud, SerialPort
from gateway.credentials import Credential
from gateway.errors import BadFrame
from gateway.text import Text

_HOST, _CHIP, _NOT_UNDERSTOOD = 0xD4, 0xD5, 0x7F
_FIRMWARE, _SAM, _RF, _LIST = 0x02, 0x14, 0x32, 0x4A
WAKE = b"\x55\x55" + bytes(12)
_RETRIES = bytes((0x05, 0xFF, 0x01, 0x01))  # item 5: as after power-on, but for the last: look once, and once more
_ONE_AT_106A = b"\x01\x00"
_IS_PN532 = 0x32
_LONGEST = 64  # bytes that LEN may count; an answer with a UID and the longest usual ATS has 42
_START, _AROUND, _ACK_SIZE = 5, 7, 6  # bytes: as far as LCS; all but TFI and data; of an ACK
_ACK = b""  # what an ACK carries
_LIMIT_S = 0.3
_HEAD = re.compile(rb"\x00(?:\Z|\x00(?:\Z|\xff))")  # of a frame, or as much of it as has come
_HINT = Text(
    "检查供电、TX/RX 接线、baud（出厂为 115200），以及两位拨码开关是否都为 OFF（HSU 模式）",
    "check its power, the wires TX and RX, baud (115200 from the maker), and that both switches are OFF, for HSU",
)
T = TypeVar("T")


class Options(PolledOptions):
    baud: Baud = 115200


def frame(command: int, data: bytes = b"") -> bytes:
    """What the host sends."""
    body = bytes((_HOST, command)) + data
    return b"\x00\x00\xff" + bytes((len(body), -len(body) % 256)) + body + bytes((-sum(body) % 256, 0))


def parse(whole: bytes) -> bytes:
    """One whole frame → what it carries, empty for an ACK. Raises `BadFrame`."""
    if whole == b"\x00\x00\xff\x00\xff\x00":
        return _ACK
    if len(whole) < _START or whole[:3] != b"\x00\x00\xff":
        raise BadFrame(f"{len(whole)} bytes are not 00 00 FF, …")
    if sum(whole[3:5]) % 256:
        raise BadFrame("the check byte of the length does not fit", reason="checksum")
    if not 0 < whole[3] == len(whole) - _AROUND:
        raise BadFrame(f"a length of {whole[3]} in {len(whole)} bytes", reason="length")
    if sum(whole[5:-1]) % 256:
        raise BadFrame("the check byte of the data does not fit", reason="checksum")
    if whole[-1] != 0:
        raise BadFrame("no 00 after the last byte")
    return whole[5:-2]


def cards(listed: bytes) -> list[Credential]:
    """The data of an answer to InListPassiveTarget: at most one card. Raises `BadFrame`."""
    if listed[:1] == b"\x00":
        return []
    if listed[:1] != b"\x01" or len(listed) < 6:
        raise BadFrame("neither no card nor one", reason="range")
    uid = listed[6 : 6 + listed[5]]
    if len(uid) != listed[5]:
        raise BadFrame(f"{len(uid)} of {listed[5]} bytes of a UID", reason="length")
    return [card(uid)]


class Framer:
    """Finds frames in a stream (`drivers.dialogue.Finder`). Holds less than one frame between calls."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def frames(self, data: bytes) -> list[bytes | BadFrame]:
        self._waiting += data
        found: list[bytes | BadFrame] = []
        while head := _HEAD.search(self._waiting):
            del self._waiting[: head.start()]  # noise
            if len(self._waiting) < _START:
                return found
            size = _size(self._waiting)
            if len(self._waiting) < size:
                return found
            result = attempt(parse, bytes(self._waiting[:size]))
            found.append(result)
            del self._waiting[: 1 if isinstance(result, BadFrame) else size]
        self._waiting.clear()
        return found

    def feed(self, data: bytes) -> Results:
        """The cards alone, as `gateway.contracts.Framer` has it: a recording can be played."""
        return [result for found in self.frames(data) for result in _cards_of(found)]

    def silence(self) -> Results:
        size = len(self._waiting)
        self._waiting.clear()
        return [BadFrame(f"{size} bytes of a frame", reason="timeout")] if size > 2 else []  # zeros may follow one


def _size(start: bytearray) -> int:
    """Of the frame that begins so; of one that cannot be, as much as shows that."""
    if start[3:5] == b"\x00\xff":
        return _ACK_SIZE
    sound = sum(start[3:5]) % 256 == 0 and 0 < start[3] <= _LONGEST
    return start[3] + _AROUND if sound else _START


def _cards_of(found: bytes | BadFrame) -> Results:
    if not isinstance(found, BadFrame) and found[:2] != bytes((_CHIP, _LIST + 1)):
        return []
    result = found if isinstance(found, BadFrame) else attempt(cards, found[2:])
    return [result] if isinstance(result, BadFrame) else list(result)


def answering(command: int, judge: Callable[[bytes], T]) -> Callable[[bytes], T | None]:
    """Judges the answer to one command: the first of its kind after the ACK."""
    understood = False

    def look(carried: bytes) -> T | None:
        nonlocal understood
        if carried == _ACK:
            understood = True
        elif understood and carried[0] == _NOT_UNDERSTOOD:
            raise BadFrame(Text("芯片不认识该命令", "the chip did not understand"), reason="refused")
        elif understood and carried[:2] == bytes((_CHIP, command + 1)):
            return judge(carried[2:])
        return None

    return look


class Pn532:
    """An open chip."""

    def __init__(self, port: SerialPort) -> None:
        self._port = port

    def start(self) -> None:
        """Wake it up, be sure what it is, and have it answer soon. Raises `BadFrame` and `DeviceLost`."""
        self._call(_SAM, b"\x01", bytes, before=WAKE)  # no SAM
        if self._call(_FIRMWARE, b"", bytes)[:1] != bytes((_IS_PN532,)):
            raise BadFrame(Text("该芯片不是 PN532", "the chip is no PN532"), reason="type")
        self._call(_RF, _RETRIES, bytes)

    def look(self) -> Results:
        """Whether there is a card. Raises `BadFrame` and `DeviceLost`."""
        return list(self._call(_LIST, _ONE_AT_106A, cards))

    def _call(self, command: int, data: bytes, judge: Callable[[bytes], T], before: bytes = b"") -> T:
        reply = FramedReply(Framer(), answering(command, judge))
        return ask(self._port, before + frame(command, data), reply, _LIMIT_S)


def framer(_options: Options) -> Framer:
    return Framer()


def connect(options: Options) -> PolledReader:
    """Open the port and wake the chip. Raises `DeviceLost`."""
    port = SerialPort(options.port, options.baud)
    chip = Pn532(port)
    with proving(port.close, _HINT):
        chip.start()
    return PolledReader(chip.look, port.close, options.poll_s, _HINT)
