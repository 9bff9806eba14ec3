"""What a card says: its bytes, the ways they are written, and when two writings mean the same card.

An EM4100 card is printed three ways (ten hex digits, ten decimal digits, facility and card number), and a reader may
send five, four or three of its bytes. The bytes are the identity; two writings of this *number family* are
the same card when the shorter is the tail of the longer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import Rejected
from gateway.text import Text


class Format(StrEnum):
    """How a credential was read or written."""

    EM4100 = "em4100"  # 5 bytes: version and 32-bit number
    W26 = "w26"  # 3 bytes: facility 8 bits, card 16 bits
    W34 = "w34"  # 4 bytes: facility 16 bits, card 16 bits
    W37 = "w37"  # 5 bytes: 35 bits, H10302 or H10304
    DEC10 = "dec10"  # 4 bytes: the ten printed digits
    HEX = "hex"  # any length
    TEXT = "text"  # UTF-8


_TAIL = 3
_LENGTH = {Format.EM4100: 5, Format.W26: 3, Format.W34: 4, Format.W37: 5, Format.DEC10: 4}
_NUMBER_FAMILY = {Format.EM4100, Format.W26, Format.W34, Format.DEC10, Format.HEX}


@dataclass(frozen=True, slots=True)
class Credential:
    """What was presented. `value` is big-endian bytes; leading zeros are part of it. Prints masked."""

    format: Format
    value: bytes

    def __post_init__(self) -> None:
        length = _LENGTH.get(self.format)
        if not self.value or (length is not None and len(self.value) != length):
            raise ValueError(f"{self.format} needs {length or 'some'} bytes, got {len(self.value)}")

    def __repr__(self) -> str:
        return f"<{self.format} …{self.value.hex().upper()[-2:]}>"

    __str__ = __repr__

    @property
    def tail(self) -> bytes | None:
        """The last three bytes, by which number-family cards are looked up; None for the others."""
        if self.format in _NUMBER_FAMILY and _TAIL <= len(self.value) <= _LENGTH[Format.EM4100]:
            return self.value[-_TAIL:]
        return None

    def matches(self, other: Credential) -> bool:
        """Whether both mean the same card."""
        if self.tail is None or other.tail is None:
            return self.format == other.format and self.value == other.value
        shorter, longer = sorted((self.value, other.value), key=len)
        return longer.endswith(shorter)

    def written(self) -> str:
        """`format:value` in clear, as in a roster file. Never log or publish it."""
        number = int.from_bytes(self.value)
        match self.format:
            case Format.W26 | Format.W34:
                body = f"{number >> 16}-{number & 0xFFFF}"
            case Format.W37:
                body = str(number)
            case Format.DEC10:
                body = f"{number:010d}"
            case Format.TEXT:
                body = self.value.decode()
            case _:
                body = self.value.hex().upper()
        return f"{self.format}:{body}"


_PATTERN = {
    Format.EM4100: (r"[0-9A-Fa-f]{10}", "em4100:62E3086CED"),
    Format.W26: (r"\d{1,3}-\d{1,5}", "w26:8-27885"),
    Format.W34: (r"\d{1,5}-\d{1,5}", "w34:27453-4822"),
    Format.W37: (r"\d{1,11}", "w37:123456789"),
    Format.DEC10: (r"\d{10}", "dec10:0009334109"),
    Format.HEX: (r"(?:[0-9A-Fa-f]{2}){1,32}", "hex:B0864D25"),
    Format.TEXT: (r"[^\s;]{1,64}", "text:A-0017"),
}


def parse_credential(written: str) -> Credential:
    """Read `format:value` as written in a roster file. Raises `Rejected` naming what was expected."""
    prefix, colon, body = written.strip().partition(":")
    try:
        form = Format(prefix.lower())
    except ValueError:
        form = None
    if form is None or not colon:
        raise Rejected(
            Text("卡号“{written}”缺少格式前缀", "card '{written}' has no known format prefix").with_(written=written),
            hint=Text("应写作 {formats} 之一，例如 {example}", "write one of {formats}, e.g. {example}").with_(
                formats="|".join(Format), example=_PATTERN[Format.EM4100][1]
            ),
        )
    pattern, example = _PATTERN[form]
    if not re.fullmatch(pattern, body, re.ASCII if form is not Format.TEXT else 0):
        raise _unreadable(written, example)
    try:
        return Credential(form, _to_bytes(form, body))
    except (OverflowError, ValueError) as error:
        raise _unreadable(written, example) from error


def _unreadable(written: str, example: str) -> Rejected:
    return Rejected(
        Text("卡号“{written}”不符合其格式", "card '{written}' does not fit its format").with_(written=written),
        hint=Text("例如 {example}", "for example {example}").with_(example=example),
    )


def _to_bytes(form: Format, body: str) -> bytes:
    match form:
        case Format.W26 | Format.W34:
            facility, card = (int(part) for part in body.split("-"))
            return facility.to_bytes(_LENGTH[form] - 2) + card.to_bytes(2)
        case Format.W37:
            number = int(body)
            if number >> 35:
                raise OverflowError("w37 carries 35 bits")
            return number.to_bytes(5)
        case Format.DEC10:
            return int(body).to_bytes(4)
        case Format.TEXT:
            return body.encode()
        case _:
            return bytes.fromhex(body)
