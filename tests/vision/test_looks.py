"""What is outside the region of interest is not there, and is not looked at either."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.clock import now
from gateway.types import Box, Frame
from gateway.vision.looks import inside, look_near
from gateway.vision.sightings import PlateSighting, moved
from tests.striped import plate

LANE = [(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.25, 1.0)]


def centred(x: float, y: float) -> Box:
    return Box(x - 10, y - 5, x + 10, y + 5)


def test_without_a_region_everything_counts() -> None:
    assert inside(centred(1, 1), [], 1000, 500)
    assert inside(centred(1, 1), [(0.0, 0.0), (1.0, 1.0)], 1000, 500)


def test_the_centre_of_a_box_decides() -> None:
    for x, y, expected in ((700, 100, True), (300, 450, True), (300, 100, False), (100, 450, False), (999, 499, True)):
        assert inside(centred(x, y), LANE, 1000, 500) is expected, (x, y)


@pytest.mark.parametrize(("height", "width"), [(500, 1000), (1080, 1920), (3, 5)])
def test_plates_are_looked_for_near_the_region_and_lie_where_they_are_in_the_whole_picture(
    height: int, width: int
) -> None:
    pixels = np.arange(3 * height * width, dtype=np.uint32).astype(np.uint8).reshape(height, width, 3)
    shown: list[Frame] = []

    def look(frame: Frame) -> list[PlateSighting]:
        shown.append(frame)
        return [PlateSighting(Box(1, 2, 3, 4), frame.stamp, plate(7))]

    doubt = Box(0.5 * width, 0.5 * height, 0.6 * width, 0.6 * height)
    frame = Frame(pixels, now(), source="a.jpg", origin="a", doubts=(doubt,))
    (whole,) = look_near((), look, frame)
    assert shown[0] is frame
    assert whole.box == Box(1, 2, 3, 4)
    (found,) = look_near([(0.4, 0.5), (0.6, 0.5), (0.6, 1.0), (0.4, 1.0)], look, frame)
    left, top = int(found.box.left) - 1, int(found.box.top) - 2
    tall, wide = shown[1].pixels.shape[:2]
    assert (shown[1].pixels == pixels[top : top + tall, left : left + wide]).all()
    assert (left, top, tall) == (int(0.25 * width), int(0.35 * height), height - int(0.35 * height))
    assert 0.5 * width <= wide < 0.5 * width + 2
    assert (shown[1].stamp, shown[1].source) == (frame.stamp, "a.jpg")
    assert shown[1].doubts == (moved(doubt, -left, -top),)
