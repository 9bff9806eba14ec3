"""Wiegand lines: encodings, formats, byte order."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from drivers.readers.wiegand import Options, framer
from drivers.wiegand_bits import LAYOUTS, decode, encode, fields
from gateway.errors import BadFrame
from tests.wire import cards, faults, play


def read(line: str, **options: Any) -> tuple[list[str], list[str]]:
    results = play(framer(Options(port="loop://", **options)), [line.encode() + b"\r\n"])
    return cards(results), faults(results)


@pytest.mark.parametrize(
    ("line", "options", "card"),
    [
        ("3D12D6", {"encoding": "hex"}, "w26:61-4822"),
        ("3d12d6", {"encoding": "hex", "reverse": True}, "w26:214-4669"),
        ("6B3D12D6", {"encoding": "hex", "format": "34"}, "w34:27453-4822"),
        ("6B3D12D6", {"encoding": "hex", "format": "34", "reverse": True}, "w34:54802-15723"),
        ("00075BCD15", {"encoding": "hex", "format": "37-H10302"}, "w37:123456789"),
        ("4002518", {"encoding": "dec"}, "w26:61-4822"),
        ("0004002518", {"encoding": "dec"}, "w26:61-4822"),
        ("061,04822", {"encoding": "dec"}, "w26:61-4822"),
        ("27453-4822", {"encoding": "dec", "format": "34"}, "w34:27453-4822"),
        ("123456789", {"encoding": "dec", "format": "37-H10302"}, "w37:123456789"),
        ("118,1603", {"encoding": "dec", "format": "37-H10304"}, "w37:61867587"),
        ("00011110100010010110101101", {"reverse": True}, "w26:214-4669"),
    ],
)
def test_cards(line: str, options: dict[str, Any], card: str) -> None:
    assert read(line, **options) == ([card], [])


@pytest.mark.parametrize(
    ("line", "options", "fault"),
    [
        ("3D12D", {"encoding": "hex"}, "length"),
        ("3D12D6AA", {"encoding": "hex"}, "length"),
        ("3D12DG", {"encoding": "hex"}, "charset"),
        ("3D 2D6", {"encoding": "hex"}, "charset"),
        ("FFFFFFFFFF", {"encoding": "hex", "format": "37-H10302"}, "range"),
        ("16777216", {"encoding": "dec"}, "range"),
        ("256,1", {"encoding": "dec"}, "range"),
        ("61,65536", {"encoding": "dec"}, "range"),
        ("1,5", {"encoding": "dec", "format": "37-H10302"}, "range"),
        ("٣٤٥", {"encoding": "dec"}, "charset"),
        ("0001111010001001011010110", {}, "length"),
        ("0001111010001001011010110x", {}, "charset"),
        ("00011110100010010110101101", {"format": "34"}, "length"),
    ],
)
def test_faults(line: str, options: dict[str, Any], fault: str) -> None:
    assert read(line, **options) == ([], [fault])


def test_reverse_needs_whole_bytes() -> None:
    with pytest.raises(ValidationError, match="26 or 34"):
        Options(port="loop://", format="37-H10302", reverse=True)


@pytest.mark.parametrize("name", LAYOUTS)
def test_one_wrong_bit_under_parity_is_always_seen(name: str) -> None:
    layout = LAYOUTS[name]
    word = encode(0x15A5A5A5A & ((1 << layout.number_bits) - 1), layout)
    assert decode(word, layout).format == layout.format
    for at in range(layout.bits):
        wrong = word[:at] + ("1" if word[at] == "0" else "0") + word[at + 1 :]
        with pytest.raises(BadFrame) as caught:
            decode(wrong, layout)
        assert caught.value.reason == "parity"


def test_fields_of_the_two_37_bit_layouts() -> None:
    # proxmark3: H10304 FC 118 CN 1603; H10302 CN 123456789
    assert fields(decode("1000000000111011000000000110010000110", LAYOUTS["37-H10304"]), LAYOUTS["37-H10304"]) == (
        118,
        1603,
    )
    card = decode("1000000001110101101111001101000101011")
    assert fields(card, LAYOUTS["37-H10302"]) == (None, 123456789)
