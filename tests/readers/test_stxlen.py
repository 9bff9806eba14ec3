"""The 7941 class: the length alone ends a frame."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.readers.stxlen import Framer
from tests.wire import CUTS, cards, faults, play

EM = bytes.fromhex("020a0206008e6d5db003")
MARKS_INSIDE = bytes.fromhex("020901020303020803")  # UID 02 03 03 02


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("wire", "expected_cards", "expected_faults"),
    [
        (MARKS_INSIDE + EM, ["hex:02030302", "em4100:06008E6D5D"], []),
        (b"\x02\x02\x09" + EM, ["em4100:06008E6D5D"], []),
        (EM[:5] + EM, ["em4100:06008E6D5D"], ["framing"]),
        (EM[:-1] + b"\x00" + EM, ["em4100:06008E6D5D"], ["framing"]),
        (EM[:7], [], ["timeout"]),
        (b"\x02", [], ["timeout"]),
        (b"\x03\x0a\x09", [], []),
    ],
)
def test_frames_are_found(
    wire: bytes, expected_cards: list[str], expected_faults: list[str], cut: Callable[[bytes], list[bytes]]
) -> None:
    results = play(Framer(), cut(wire))
    assert (cards(results), faults(results)) == (expected_cards, expected_faults)


def test_silence_never_joins_two_halves() -> None:
    framer = Framer()
    assert framer.feed(EM[:5]) == []
    assert faults(framer.silence()) == ["timeout"]
    assert cards(play(framer, [EM[5:]])) == []
