"""Any reader that sends one card per line of text: the pattern says where in the line its number is.

    pattern = '^(?P<dec>\\d{10})$'      0009334109 CR LF  →  dec10:0009334109

    (?P<hex>…)    bytes as hex, two digits each                  → hex
    (?P<dec>…)    up to ten decimal digits of a 32-bit number    → dec10
    (?P<bits>…)   a Wiegand word of 26, 34 or 37 bits            → w26, w34, w37, its parity checked
    (?P<text>…)   anything else, a QR code say                   → text

The rule: the pattern finds the number, these formats judge it. A line that does not match is a bad frame `no-match`.
The pattern is the operator's own; one that backtracks without end (nested repeats) is theirs to avoid.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from drivers.framed_reader import FramedReader
from drivers.line_framer import End, LineFramer
from drivers.serial_port import SerialOptions, SerialPort
from drivers.wiegand_bits import decode
from gateway.credentials import Credential, Format
from gateway.errors import BadFrame
from gateway.text import Text

_GROUPS = ("hex", "dec", "bits", "text")


def _with_a_group(pattern: str) -> str:
    try:
        groups = set(re.compile(pattern).groupindex)
    except (re.error, OverflowError, RecursionError) as error:
        words = Text("不是有效的正则表达式：{error}", "not a regular expression: {error}")
        raise ValueError(words.with_(error=error)) from error
    if not groups or groups - set(_GROUPS):
        words = Text("须用 {groups} 之一标出号码", "name the part that is the number with one of {groups}")
        raise ValueError(words.with_(groups=", ".join(f"(?P<{group}>…)" for group in _GROUPS)))
    return pattern


class Options(SerialOptions):
    pattern: Annotated[str, AfterValidator(_with_a_group)]
    end: End = "any"


def parse(text: str, pattern: re.Pattern[str]) -> Credential:
    """One line → card. Raises `BadFrame`."""
    found = pattern.search(text)
    named = [(group, value) for group, value in found.groupdict().items() if value] if found else []
    if not named:
        raise BadFrame("the line does not match the pattern", reason="no-match")
    group, value = named[0]
    match group:
        case "hex":
            return _hex(value)
        case "dec":
            return _decimal(value)
        case "bits":
            return decode(value)
        case _:
            return _text(value)


def _hex(value: str) -> Credential:
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2}){1,32}", value):
        raise BadFrame("not pairs of hex digits", reason="charset")
    return Credential(Format.HEX, bytes.fromhex(value))


def _decimal(value: str) -> Credential:
    if not re.fullmatch(r"[0-9]+", value):
        raise BadFrame("not a decimal number", reason="charset")
    if len(value) > 10:
        raise BadFrame(f"{len(value)} decimal digits, at most 10 are a card", reason="length")
    if int(value) >> 32:
        raise BadFrame("more than 32 bits", reason="range")
    return Credential(Format.DEC10, int(value).to_bytes(4))


def _text(value: str) -> Credential:
    if len(value) > 64:
        raise BadFrame(f"{len(value)} characters, at most 64 are a card", reason="length")
    return Credential(Format.TEXT, value.encode())


def framer(options: Options) -> LineFramer:
    pattern = re.compile(options.pattern)
    return LineFramer(options.end, lambda text: parse(text, pattern))


def connect(options: Options) -> FramedReader:
    """Open the reader. Raises `DeviceLost`."""
    return FramedReader(SerialPort(options.port, options.baud), framer(options))
