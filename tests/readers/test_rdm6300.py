"""RDM6300: where frames begin and end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.readers.rdm6300 import Framer, parse
from gateway.errors import BadFrame
from tests.wire import CUTS, cards, faults, play

GOOD = b"\x0262E3086CED08\x03"


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (GOOD[:6] + GOOD, ["resync"]),
        (b"\x00\xff\x55" + GOOD, []),
        (GOOD[:9], ["timeout"]),
        (GOOD[:-1] + b"\r" + GOOD, ["framing"]),
        (GOOD[:8] + b"\x03" + GOOD, ["framing"]),
        (b"\x0262E3G86CED08\x03" + GOOD, ["charset"]),
        (b"\x0262 E3 86CED0\x03", ["charset"]),
    ],
)
def test_faults_are_named_and_the_next_frame_is_read(
    wire: bytes, expected: list[str], cut: Callable[[bytes], list[bytes]]
) -> None:
    results = play(Framer(), cut(wire))
    assert faults(results) == expected
    assert cards(results) == (["em4100:62E3086CED"] if wire.endswith(GOOD) else [])


def test_silence_never_joins_two_halves() -> None:
    framer = Framer()
    assert framer.feed(GOOD[:7]) == []
    assert faults(framer.silence()) == ["timeout"]
    assert framer.silence() == []
    assert cards(play(framer, [GOOD[7:]])) == []


def test_a_bad_frame_does_not_quote_the_card() -> None:
    with pytest.raises(BadFrame) as caught:
        parse(b"\x0262E3086CED09\x03")
    assert "62E3" not in str(caught.value)
