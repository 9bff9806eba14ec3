"""Modbus RTU, 8N1: the questions that our readers and relays ask, and the answers of boards.

    01       03        00 06  00 04    A4 08    read four holding registers from the sixth on
    01       03        08  00 11 … 88  CRC      eight bytes
    01       83        02              C0 F1    or: refused with code 2
    address  function                  CRC-16, low byte first

The rule: an answer counts by its address, function, length and CRC. An adapter on two wires that echoes its own sending
does no harm to questions that read: their echo has no such length. Source: Modbus over serial line V1.02, Modbus
application protocol V1.1b3 (modbus.org).
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.framed_reader import noise
from gateway.errors import BadFrame
from gateway.text import Text

READ_COILS, READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_REGISTER = 0x01, 0x03, 0x04, 0x05, 0x06
_REFUSED = 0x80
_REFUSAL_LENGTH = 5
_LONGEST = 300  # bytes of a reply looked at: a frame has 256 at most, an echo 8
_BITS_PER_BYTE = 11  # on the wire, at most


def crc(data: bytes) -> bytes:
    """CRC-16/Modbus, low byte first."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def request(address: int, function: int, at: int, value: int) -> bytes:
    """Eight bytes. `at` is the first register or coil, from 0 on; `value` how many, or what to write there."""
    body = bytes((address, function)) + at.to_bytes(2) + value.to_bytes(2)
    return body + crc(body)


def wire_s(size: int, baud: int) -> float:
    """How long so many bytes take."""
    return size * _BITS_PER_BYTE / baud


def pause_s(baud: int) -> float:
    """The silence by which boards tell two frames apart: three and a half bytes, above 19200 baud always 1.75 ms."""
    return max(wire_s(7, baud) / 2, 0.00175)


def reply_size(question: bytes) -> int:
    """Of the answer to a question that reads."""
    many = int.from_bytes(question[4:6])
    return 5 + (-(-many // 8) if question[1] == READ_COILS else 2 * many)


def confirm(order: bytes, reply: bytes) -> bool:
    """Whether a reply confirms an order; False while it is incomplete. Raises `BadFrame` for any other reply."""
    if reply[: len(order)] == order:
        return True
    if reply[:2] == bytes((order[0], order[1] | _REFUSED)):
        if len(reply) < _REFUSAL_LENGTH:
            return False
        if crc(reply[:3]) == reply[3:_REFUSAL_LENGTH]:
            raise _refused(reply[2])
    if len(reply) < len(order):
        return False
    raise BadFrame(Text("应答与命令不符", "the reply is not the echo of the order"), reason="checksum")


def values(question: bytes, heard: bytes) -> bytes | None:
    """What a board answers to a question that reads, wherever in `heard`; None where it is not there.

    Raises `BadFrame` where the board refuses.
    """
    size = reply_size(question)
    head = question[:2] + bytes((size - 5,))
    for frame in _frames(heard, head, size):
        return frame[3:-2]
    for frame in _frames(heard, bytes((question[0], question[1] | _REFUSED)), _REFUSAL_LENGTH):
        raise _refused(frame[2])
    return None


def fault(question: bytes, heard: bytes) -> BadFrame:
    """What is wrong with what was heard, where no answer is in it."""
    size, head = reply_size(question), question[:2]
    reply = heard.removeprefix(question)
    if head + bytes((size - 5,)) in reply and len(reply) >= size:
        return BadFrame(Text("应答校验错误", "the CRC of the reply does not fit"), reason="checksum")
    if not reply or head.startswith(reply[:2]):
        return _cut_off(len(reply), size)
    return noise()


class Confirmation:
    """A `drivers.dialogue.Reply` to an order: its echo."""

    def __init__(self, order: bytes) -> None:
        self._order = order
        self._heard = b""

    def take(self, data: bytes) -> bool | None:
        self._heard = (self._heard + data)[:_LONGEST]
        return confirm(self._order, self._heard) or None

    def missing(self) -> BadFrame:
        return _cut_off(len(self._heard), len(self._order))


class Values:
    """A `drivers.dialogue.Reply` to a question that reads: the bytes of the registers or coils."""

    def __init__(self, question: bytes) -> None:
        self._question = question
        self._heard = b""

    def take(self, data: bytes) -> bytes | None:
        if not data and self._heard.removeprefix(self._question):
            raise self.missing()
        self._heard = (self._heard + data)[:_LONGEST]
        return values(self._question, self._heard)

    def missing(self) -> BadFrame:
        return fault(self._question, self._heard)


def _frames(heard: bytes, head: bytes, size: int) -> Iterator[bytes]:
    """The whole frames of that size that begin with `head` and whose CRC fits."""
    at = heard.find(head)
    while 0 <= at <= len(heard) - size:
        frame = heard[at : at + size]
        if crc(frame[:-2]) == frame[-2:]:
            yield frame
        at = heard.find(head, at + 1)


def _refused(code: int) -> BadFrame:
    return BadFrame(
        Text("板拒绝，代码 {code}", "the board refuses with code {code}").with_(code=code), reason="refused"
    )


def _cut_off(had: int, whole: int) -> BadFrame:
    words = Text("应答 {had} 字节，应为 {all}", "{had} of {all} bytes of a reply")
    return BadFrame(words.with_(had=had, all=whole), reason="timeout")
