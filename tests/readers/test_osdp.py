"""Cards as OSDP readers send them: bits of a number, whatever their length. Sessions are tried in tests/osdp."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.osdp.keys import SCBK_D, read_key
from drivers.osdp.peripheral import Bits
from drivers.readers import osdp
from drivers.wiegand_bits import LAYOUTS, encode
from gateway.credentials import Credential
from gateway.errors import BadFrame


def options(**more: Any) -> osdp.Options:
    return osdp.Options.model_validate({"port": "/dev/ttyUSB0", "secure": False, **more})


def read(size: int, data: str, **more: Any) -> str:
    """The card as in a roster file, or the reason why there is none."""
    try:
        return osdp.parse(Bits(size, bytes.fromhex(data)), options(**more)).written()
    except BadFrame as error:
        return error.reason


@pytest.mark.parametrize(
    ("size", "data", "card"),
    [
        (26, "1E896B00", "parity"),  # its last bit changed
        (26, "1E896B40", "w26:61-4822"),  # RHOMBUS of tests/readers/vectors.py: 00011110100010010110101101
        (26, "CD22C716", "parity"),  # ryanhz/osdp-python, tests/test_reply.py: not a word of H10301
        (34, "359E896B00", "w34:27453-4822"),  # the same page, 34 bits
        (32, "B0864D25", "hex:B0864D25"),
        (56, "04A2B3C4D5E680", "hex:04A2B3C4D5E680"),
        (30, "B0864D24", "length"),
        (26, "1E896B", "length"),
        (26, "1E896B4000", "length"),
        (0, "", "length"),
        (264, "00" * 33, "length"),
    ],
)
def test_the_number_of_bits_says_what_a_card_is(size: int, data: str, card: str) -> None:
    assert read(size, data) == card


def test_a_format_takes_nothing_else() -> None:
    assert read(26, "1E896B40", format="26") == "w26:61-4822"
    assert read(32, "B0864D25", format="26") == "length"
    assert read(26, "1E896B40", format="34") == "length"
    assert read(26, "1E896B40", format="hex") == "length"
    assert read(32, "B0864D25", format="hex") == "hex:B0864D25"


def test_whole_bytes_are_turned_round() -> None:
    assert read(26, "1E896B40", reverse=True) == "w26:214-4669"
    assert read(32, "B0864D25", reverse=True) == "hex:254D86B0"
    with pytest.raises(ValidationError, match="reverse"):
        options(format="37-H10302", reverse=True)


@pytest.mark.parametrize("format_", ["auto", "37-H10302", "37-H10304"])
def test_37_bits_are_one_number_in_both_layouts(format_: str) -> None:
    bits = encode(123456789, LAYOUTS["37-H10302"])
    data = int(bits.ljust(40, "0"), 2).to_bytes(5).hex()
    assert read(37, data, format=format_) == "w37:123456789"
    assert read(37, data, reverse=format_ == "auto", format=format_) == "w37:123456789"


@given(size=st.integers(0, 600), data=st.binary(max_size=70), reverse=st.booleans())
def test_whatever_a_reader_sends_is_a_card_or_a_bad_frame(size: int, data: bytes, reverse: bool) -> None:
    with suppress(BadFrame):
        assert isinstance(osdp.parse(Bits(size, data), options(reverse=reverse)), Credential)


def test_a_key_as_people_write_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for written in ("00112233445566778899AABBCCDDEEFF", "00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff\r\n"):
        path.write_text("\ufeff" + written, encoding="utf-8")
        assert read_key(path) == bytes.fromhex("00112233445566778899AABBCCDDEEFF")
    path.write_text(":".join(f"{byte:02x}" for byte in SCBK_D), encoding="ascii")
    with pytest.raises(ValueError, match="SCBK-D"):
        read_key(path)
    with pytest.raises(OSError, match="No such file"):
        read_key(tmp_path / "none")
