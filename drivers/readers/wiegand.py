"""Wiegand readers behind a converter that sends each card as a line of text, usually 9600 baud 8N1, push.

    bits  00011110100010010110101101  CR LF     the word with its parity: bad parity is a bad frame
    hex   3D12D6                      CR LF     the number only: the wire has no check at all
    dec   4002518   or   61,4822      CR LF     the number, or facility and card as printed

The rule: `format` fixes how many bits a number has. `reverse` turns its bytes round, for Mifare readers that send the
UID from its other end.
"""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import model_validator

from drivers.framed_reader import FramedReader
from drivers.line_framer import End, LineFramer
from drivers.serial_port import SerialOptions, SerialPort
from drivers.wiegand_bits import LAYOUTS, Layout, decode, pack
from gateway.credentials import Credential
from gateway.errors import BadFrame
from gateway.text import Text


class Options(SerialOptions):
    encoding: Literal["bits", "hex", "dec"] = "bits"
    format: Literal["26", "34", "37-H10302", "37-H10304"] = "26"
    reverse: bool = False
    end: End = "any"

    @model_validator(mode="after")
    def _whole_bytes(self) -> Self:
        if self.reverse and self.format.startswith("37"):
            words = Text(
                "reverse 只能与 format 26 或 34 同用", "reverse turns whole bytes round: it goes with format 26 or 34"
            )
            raise ValueError(words)
        return self


def parse(text: str, options: Options) -> Credential:
    """One line → card. Raises `BadFrame`."""
    layout = LAYOUTS[options.format]
    match options.encoding:
        case "bits":
            card = decode(text, layout)
        case "hex":
            card = pack(_hex(text, layout), layout)
        case "dec":
            card = pack(_decimal(text, layout), layout)
    return Credential(card.format, card.value[::-1]) if options.reverse else card


def _hex(text: str, layout: Layout) -> int:
    if not re.fullmatch(r"[0-9A-Fa-f]+", text):
        raise BadFrame("not a hex number", reason="charset")
    if not -(-layout.number_bits // 4) <= len(text) <= 2 * layout.size:
        raise BadFrame(f"{len(text)} hex digits, expected {2 * layout.size}", reason="length")
    return int(text, 16)


def _decimal(text: str, layout: Layout) -> int:
    found = re.fullmatch(r"(?:([0-9]{1,5})[,-])?([0-9]{1,11})", text)
    if not found:
        raise BadFrame("not a decimal number", reason="charset")
    facility, card = int(found[1] or 0), int(found[2])
    if found[1] and (card >> layout.card_bits or not layout.has_facility):
        raise BadFrame(f"a card number of more than {layout.card_bits} bits", reason="range")
    return facility << layout.card_bits | card


def framer(options: Options) -> LineFramer:
    return LineFramer(options.end, lambda text: parse(text, options))


def connect(options: Options) -> FramedReader:
    """Open the reader. Raises `DeviceLost`."""
    return FramedReader(SerialPort(options.port, options.baud), framer(options))
