"""The generic line reader: groups, ends, overlong lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.readers.line import Options, framer
from tests.wire import CUTS, cards, faults, play

DEC = r"^(?P<dec>\d+)$"


def read(wire: bytes, pattern: str = DEC, cut: Callable[[bytes], list[bytes]] = CUTS[0], **options: Any) -> list[str]:
    """The cards; then the faults, each after a `!`."""
    results = play(framer(Options(port="loop://", pattern=pattern, **options)), cut(wire))
    return cards(results) + [f"!{fault}" for fault in faults(results)]


@pytest.mark.parametrize(
    ("pattern", "line", "found"),
    [
        (DEC, b"0009334109", "dec10:0009334109"),
        (DEC, b"7", "dec10:0000000007"),
        (DEC, b"4294967295", "dec10:4294967295"),
        (DEC, b"4294967296", "!range"),
        (DEC, b"00009334109", "!length"),
        (DEC, "０００９".encode(), "!charset"),
        (DEC, b"ERR 04", "!no-match"),
        (r"^UID=(?P<hex>\w+)$", b"UID=04a1B2c3d4E5f6", "hex:04A1B2C3D4E5F6"),
        (r"^UID=(?P<hex>\w+)$", b"UID=04A", "!charset"),
        (r"(?P<bits>[01]+)", b"W 00011110100010010110101101", "w26:61-4822"),
        (r"(?P<bits>[01]+)", b"0011010110011110100010010110101100", "w34:27453-4822"),
        (r"(?P<bits>[01]+)", b"1011010110011110100010010110101100", "!parity"),
        (r"(?P<bits>[01]+)", b"101", "!length"),
        (r"^(?P<text>.+)$", "访客-17".encode(), "text:访客-17"),
        (r"^(?P<text>.+)$", b"\xff\xfe", "!charset"),
        (r"^(?P<text>.+)$", b"x" * 65, "!length"),
        (r"^(?:H(?P<hex>..)|D(?P<dec>.+))$", b"D12", "dec10:0000000012"),
    ],
)
def test_groups(pattern: str, line: bytes, found: str) -> None:
    assert read(line + b"\r\n", pattern) == [found]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("end", "wire"),
    [
        ("cr", b"12\r34\r"),
        ("cr", b"12\r\n34\r\n"),
        ("lf", b"12\n34\n"),
        ("lf", b"12\r\n34\r\n"),
        ("crlf", b"12\r\n34\r\n"),
        ("etx", b"\x0212\x03\x0234\x03"),
        ("etx", b"\x0212\r\n\x03\x0234\r\n\x03"),
        ("any", b"12\r\n34\r"),
        ("any", b"\n12\n\r34\x03"),
    ],
)
def test_ends(end: str, wire: bytes, cut: Callable[[bytes], list[bytes]]) -> None:
    assert read(wire, cut=cut, end=end) == ["dec10:0000000012", "dec10:0000000034"]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [257, 258, 300, 5000])
def test_an_overlong_line_is_one_bad_frame(size: int, end: bytes, cut: Callable[[bytes], list[bytes]]) -> None:
    name = {b"\r": "cr", b"\n": "lf", b"\r\n": "crlf"}[end]
    assert read(b"9" * size + end + b"12" + end, cut=cut, end=name) == ["dec10:0000000012", "!length"]


@pytest.mark.parametrize("cut", CUTS)
def test_a_line_of_just_256_bytes_is_read(cut: Callable[[bytes], list[bytes]]) -> None:
    assert read(b"x" * 255 + b"7\r\n", r"(?P<dec>\d)$", cut, end="crlf") == ["dec10:0000000007"]


def test_a_new_stx_drops_what_was_half_sent() -> None:
    assert read(b"\x02123\x0245\x03", end="etx") == ["dec10:0000000045", "!resync"]


def test_silence_ends_a_line_without_reading_it() -> None:
    lines = framer(Options(port="loop://", pattern=DEC))
    assert lines.feed(b"12") == []
    assert faults(lines.silence()) == ["timeout"]
    assert cards(lines.feed(b"34\r")) == ["dec10:0000000034"]
    assert lines.feed(b"9" * 400)[0].reason == "length"  # type: ignore[union-attr]
    assert lines.silence() == []
    assert cards(lines.feed(b"56\r")) == ["dec10:0000000056"]


@pytest.mark.parametrize("pattern", [r"^\d+$", r"(?P<number>\d+)", "(", r"(?P<dec>\d{99999999999})"])
def test_a_pattern_that_cannot_work_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        Options(port="loop://", pattern=pattern)
