"""OSDP frames as they stand on the wire (IEC 60839-11-5, SIA OSDP 2.2).

    53   80       08 00     05       40     68 9F     an ACK from address 0
    SOM  address  length    control  code   check     length: of everything from SOM on; low byte first, as the CRC

    address  bit 7 is set in replies
    control  bits 0–1 sequence, bit 2 CRC-16 (else a sum), bit 3 a security block
             (length, type, …) stands before the code

The rule: length and check alone say where a frame ends. After a bad frame the search for the next begins at its second
byte; a byte FF that some senders put before a frame is noise here.
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass

from gateway.errors import BadFrame

SOM = 0x53
LONGEST = 256  # bytes; libosdp holds no longer frame
_HEAD = 5
_SHORTEST = _HEAD + 2  # code and sum
_REPLY = 0x80
_SEQUENCE, _CRC, _SECURED = 0x03, 0x04, 0x08  # bits of control
_CRC_START = 0x1D0F


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame whose check holds. `security` is the type of its security block, 0 without one."""

    raw: bytes
    address: int
    is_reply: bool
    sequence: int
    security: int
    code: int
    data: bytes  # after the code, without the check; encrypted where the security type says so


def parse(raw: bytes) -> Frame:
    """One whole frame, from SOM to check. Raises `BadFrame`."""
    if len(raw) < _SHORTEST or raw[0] != SOM or int.from_bytes(raw[2:4], "little") != len(raw):
        raise BadFrame(f"{len(raw)} bytes are not SOM, address, their length, …")
    body = raw[: -2 if raw[4] & _CRC else -1]
    if raw[len(body) :] != _check(body, raw[4]):
        raise BadFrame("the check does not fit", reason="checksum")
    block = raw[_HEAD] if raw[4] & _SECURED else 0
    at = _HEAD + block  # of the code
    if at >= len(body) or (raw[4] & _SECURED and block < 2):
        raise BadFrame("the security block leaves no room for a code")
    security = raw[_HEAD + 1] if block else 0
    return Frame(raw, raw[1] & ~_REPLY, bool(raw[1] & _REPLY), raw[4] & _SEQUENCE, security, body[at], body[at + 1 :])


def _check(body: bytes, control: int) -> bytes:
    if control & _CRC:
        return crc_hqx(body, _CRC_START).to_bytes(2, "little")
    return (-sum(body) & 0xFF).to_bytes(1)


class FrameFinder:
    """Finds frames in a stream, however the wire cut it. Never raises, and holds less than one frame between calls."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> list[Frame | BadFrame]:
        self._waiting += data
        results: list[Frame | BadFrame] = []
        while (start := self._waiting.find(SOM)) >= 0:
            del self._waiting[:start]
            size = int.from_bytes(self._waiting[2:4], "little")
            if len(self._waiting) >= 4 and not _SHORTEST <= size <= LONGEST:
                del self._waiting[0]  # a letter S in noise
                continue
            if len(self._waiting) < 4 or len(self._waiting) < size:
                return results
            try:
                results.append(parse(bytes(self._waiting[:size])))
            except BadFrame as error:
                results.append(error)
                del self._waiting[0]
            else:
                del self._waiting[:size]
        self._waiting.clear()
        return results

    def silence(self) -> list[BadFrame]:
        """Nothing more belongs to what is half received: drop it."""
        size = len(self._waiting)
        self._waiting.clear()
        return [BadFrame(f"{size} bytes of a frame", reason="timeout")] if size else []
