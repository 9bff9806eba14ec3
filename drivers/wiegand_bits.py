"""Wiegand words: what 26, 34 and 37 bits say, and whether their parity holds.

    bits  first bit       the number                last bit
    26    even over 1–12  facility 8, card 16       odd over 13–24   H10301
    34    even over 1–16  facility 16, card 16      odd over 17–32   H10306
    37    even over 1–18  card 35                   odd over 18–35   H10302
    37    even over 1–18  facility 16, card 19      odd over 18–35   H10304

The rule: parity is judged on the bits of the wire, before anything is turned round. The two 37-bit layouts carry
the same bits; which one a reader means is configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.credentials import Credential, Format
from gateway.errors import BadFrame


@dataclass(frozen=True, slots=True)
class Layout:
    """One word. `even` and `odd` are the ranges of bits, first and last, that the parity bits watch."""

    format: Format
    bits: int
    even: tuple[int, int]
    odd: tuple[int, int]
    card_bits: int
    has_facility: bool = True

    @property
    def number_bits(self) -> int:
        return self.bits - 2

    @property
    def size(self) -> int:
        """Bytes of the number."""
        return -(-self.number_bits // 8)


LAYOUTS: dict[str, Layout] = {
    "26": Layout(Format.W26, 26, (1, 12), (13, 24), 16),
    "34": Layout(Format.W34, 34, (1, 16), (17, 32), 16),
    "37-H10302": Layout(Format.W37, 37, (1, 18), (18, 35), 35, has_facility=False),
    "37-H10304": Layout(Format.W37, 37, (1, 18), (18, 35), 19),
}
_BY_LENGTH = {layout.bits: layout for layout in LAYOUTS.values()}


def decode(bits: str, layout: Layout | None = None) -> Credential:
    """A word as `0` and `1` → card. Without a layout its length decides. Raises `BadFrame`."""
    layout = layout or _BY_LENGTH.get(len(bits))
    if layout is None or len(bits) != layout.bits:
        raise BadFrame(f"{len(bits)} bits, expected {layout.bits if layout else '26, 34 or 37'}", reason="length")
    if set(bits) - {"0", "1"}:
        raise BadFrame("not only 0 and 1", reason="charset")
    if bits[0] + bits[-1] != "".join(_parity(bits[1:-1], layout)):
        raise BadFrame("the parity does not fit", reason="parity")
    return pack(int(bits[1:-1], 2), layout)


def pack(number: int, layout: Layout) -> Credential:
    """A number without parity → card. Raises `BadFrame` where it has too many bits."""
    if number >> layout.number_bits:
        raise BadFrame(f"more than {layout.number_bits} bits", reason="range")
    return Credential(layout.format, number.to_bytes(layout.size))


def encode(number: int, layout: Layout) -> str:
    """The word a reader sends for a number, parity included."""
    body = f"{number:0{layout.number_bits}b}"
    first, last = _parity(body, layout)
    return first + body + last


def fields(card: Credential, layout: Layout) -> tuple[int | None, int]:
    """Facility and card number as printed on a card; no facility in H10302."""
    number = int.from_bytes(card.value)
    facility = number >> layout.card_bits if layout.has_facility else None
    return facility, number & ((1 << layout.card_bits) - 1)


def _parity(body: str, layout: Layout) -> tuple[str, str]:
    """Both parity bits for the bits between them; bit 1 of the word is body[0]."""
    even = body[layout.even[0] - 1 : layout.even[1]].count("1") % 2
    odd = 1 - body[layout.odd[0] - 1 : layout.odd[1]].count("1") % 2
    return str(even), str(odd)
