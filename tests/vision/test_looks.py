"""What is outside the region of interest is not there."""

from __future__ import annotations

from gateway.types import Box
from gateway.vision.looks import inside

LANE = [(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.25, 1.0)]


def centred(x: float, y: float) -> Box:
    return Box(x - 10, y - 5, x + 10, y + 5)


def test_without_a_region_everything_counts() -> None:
    assert inside(centred(1, 1), [], 1000, 500)
    assert inside(centred(1, 1), [(0.0, 0.0), (1.0, 1.0)], 1000, 500)


def test_the_centre_of_a_box_decides() -> None:
    for x, y, expected in ((700, 100, True), (300, 450, True), (300, 100, False), (100, 450, False), (999, 499, True)):
        assert inside(centred(x, y), LANE, 1000, 500) is expected, (x, y)
