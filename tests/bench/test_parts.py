"""The measuring tape itself: packets cut out of a stream, percentiles, aims."""

from __future__ import annotations

import pytest

from tests.bench.figures import Aim, Figure, percentile
from tests.bench.relay import Conversation

PUBLISH = b"\x32\xb5\x01" + b"\x00\x0eevent/access/1" + b"\x00\x2a" + b"\x00" + b"x" * 162
PING = b"\xc0\x00"
PUBACK = b"\x40\x02\x00\x2a"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_each_puback_is_noted_however_the_stream_is_cut(size: int) -> None:
    talk = Conversation()
    up, down = (PUBLISH + PING) * 2, b"\xd0\x00" + PUBACK + PUBACK
    for at in range(0, len(up), size):
        talk.from_client(up[at : at + size])
    noted = [topic for at in range(0, len(down), size) for topic in talk.from_broker(down[at : at + size])]
    assert noted == ["event/access/1"]  # the number was given twice and is answered once


def test_a_message_without_quality_of_service_is_not_waited_for() -> None:
    talk = Conversation()
    talk.from_client(b"\x30" + PUBLISH[1:])
    assert not list(talk.from_broker(PUBACK))


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(value) for value in range(300, 0, -1)]
    assert percentile(values, 0.5) == 150
    assert percentile(values, 0.99) == 297
    assert percentile([4.0], 0.99) == 4


def test_an_aim_is_met_by_the_value_or_by_the_ratio() -> None:
    assert Figure("a", 3.0, "ms", 2.0, Aim("ratio", "≤", 2)).met is True
    assert Figure("a", 5.0, "ms", 2.0, Aim("ratio", "≤", 2)).met is False
    assert Figure("a", 90.0, "MB", 85.0, Aim("value", "≤", 80)).met is False
    assert Figure("a", 9.0, "frames/s", 10.0, Aim("ratio", "≥", 0.8)).met is True
    assert Figure("a", 9.0, "ms").met is None
