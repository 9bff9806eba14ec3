"""EM-18: only silence ends a frame."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.readers.em18 import Framer
from tests.wire import CUTS, cards, faults, play

GOOD = b"4500C5D1E9B8"


def test_no_card_before_the_silence() -> None:
    framer = Framer()
    assert framer.feed(GOOD) == []
    assert cards(framer.silence()) == ["em4100:4500C5D1E9"]
    assert framer.silence() == []


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (GOOD[:5], ["timeout"]),
        (GOOD + b"4", ["length"]),
        (b"\x00" + GOOD, ["length"]),
        (GOOD[:11] + b"\r", ["charset"]),
    ],
)
def test_a_burst_that_is_not_all_frames_is_none(
    wire: bytes, expected: list[str], cut: Callable[[bytes], list[bytes]]
) -> None:
    results = play(Framer(), cut(wire))
    assert (cards(results), faults(results)) == ([], expected)


@pytest.mark.parametrize("cut", CUTS)
def test_a_reader_that_repeats_without_pause_is_heard(cut: Callable[[bytes], list[bytes]]) -> None:
    framer = Framer()
    early = [result for piece in cut(GOOD * 20) for result in framer.feed(piece)]
    assert cards(early) == ["em4100:4500C5D1E9"] * 16
    assert len(cards(framer.silence())) == 4


def test_after_a_bad_burst_nothing_is_trusted_before_a_silence() -> None:
    framer = Framer()
    assert faults(framer.feed(b"5" * 95 + b"6")) == ["checksum"]
    assert framer.feed(GOOD) == []
    assert framer.silence() == []
    assert cards(play(framer, [GOOD])) == ["em4100:4500C5D1E9"]
