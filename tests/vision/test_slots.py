"""Pictures between two processes: what is in a slot, what its memory is, what a liar's slot brings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gateway.errors import BadFrame
from gateway.vision.slots import MOST_PIXELS, Slots


@pytest.fixture
def slots() -> Iterator[Slots]:
    slots = Slots.made()
    yield slots
    slots.close()


def test_a_slot_that_was_taken_costs_nothing_and_the_other_keeps_its_picture(slots: Slots) -> None:
    first, second = (np.full((480, 640, 3), grey, np.uint8) for grey in (50, 200))
    slots.put(0, first)
    slots.put(1, second)
    assert slots.size() >= 2 * first.size
    slots.empty(0)
    assert first.size <= slots.size() < 2 * first.size
    assert np.array_equal(slots.copy(1, 480, 640), second)
    slots.empty(1)
    assert slots.size() <= 4096  # the page that both share
    slots.put(0, second)
    assert np.array_equal(slots.copy(0, 480, 640), second)


def test_a_picture_need_not_lie_in_one_piece(slots: Slots) -> None:
    striped = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3)[:, ::-1]
    slots.put(1, striped)
    assert np.array_equal(slots.copy(1, 60, 80), striped)


@pytest.mark.parametrize(("slot", "height", "width"), [(0, 60, 81), (2, 1, 1), (-1, 1, 1), (0, 0, 8), (0, 8000, 8000)])
def test_a_picture_that_is_not_there_is_a_bad_frame(slots: Slots, slot: int, height: int, width: int) -> None:
    slots.put(0, np.zeros((60, 80, 3), np.uint8))
    with pytest.raises(BadFrame):
        slots.copy(slot, height, width)


def test_a_small_picture_lies_behind_its_large_one(slots: Slots) -> None:
    large, small = (np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8) for size in ((60, 80), (30, 40)))
    slots.put(1, large)
    slots.put(1, small, behind=large.size)
    assert np.array_equal(slots.copy(1, 60, 80), large)
    assert np.array_equal(slots.copy(1, 30, 40, behind=large.size), small)
    with pytest.raises(BadFrame):
        slots.copy(1, 30, 41, behind=large.size)


def test_a_picture_larger_than_a_slot_is_refused(slots: Slots) -> None:
    row = np.zeros((1, 1, 3), np.uint8)
    with pytest.raises(BadFrame):
        slots.put(0, np.broadcast_to(row, (1, MOST_PIXELS + 1, 3)))
