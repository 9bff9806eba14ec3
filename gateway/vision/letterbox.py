"""The small picture in which a detector looks for plates: scaled to fit its input, top left.

Rule: who decoded a picture makes the small one, while its pixels are at hand, and both make the same: what a camera's
decoder did not shrink the detector shrinks itself, to the last byte alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gateway.errors import ModelError
from gateway.settings import Camera, Settings
from gateway.vision.catalogue import Model, find, model_dirs
from gateway.vision.slots import MOST_SMALL

if TYPE_CHECKING:
    from gateway.types import Image


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture is scaled: first `times` pixels become one, then the rest; the small one's size; pixels a pixel."""

    times: int
    height: int
    width: int
    scale: float


def fit(picture: Sequence[int], into: Sequence[int]) -> Fit:
    """Of a picture into a detector's input: height and width of each.

    By two, four or eight pixels at once first, which cv2 averages many times faster than parts of pixels; at the right
    and lower edge fewer than that are lost.
    """
    (height, width, *_), (tall, wide) = picture, into
    ratio = max(width / wide, height / tall)
    times = next((by for by in (8, 4, 2) if by <= ratio and by <= min(height, width)), 1)
    height, width = height // times, width // times
    scale = min(wide / width, tall / height)
    return Fit(times, max(1, round(height * scale)), max(1, round(width * scale)), scale / times)


def shrink(image: Image, to: Fit, into: Image | None = None) -> Image:
    """The small picture, uint8 [to.height, to.width, 3] BGR, written `into` one of that size where it is given."""
    if to.times > 1:
        height, width = (side - side % to.times for side in image.shape[:2])
        size = width // to.times, height // to.times
        image = np.asarray(cv2.resize(image[:height, :width], size, interpolation=cv2.INTER_AREA), np.uint8)
    small = cv2.resize(image, (to.width, to.height), dst=into, interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, np.uint8)


def size_of(model: Model, *, fast: bool) -> tuple[int, int]:
    """Height and width of a detector's input by its card: multiples of 32. Raises `ModelError`."""
    given = model.card.input
    names = ("fast_height", "fast_width") if fast and "fast_width" in given else ("height", "width")
    height, width = (given.get(name) for name in names)
    if (
        not isinstance(width, int)
        or not isinstance(height, int)
        or width % 32
        or height % 32
        or min(width, height) < 32
    ):
        high, wide = names
        raise model.unfit(f"模型卡的 {wide} 和 {high} 须为 32 的倍数", f"its card must give {wide} and {high} in 32s")
    return height, width


def wanted(settings: Settings, camera: Camera) -> Sequence[int]:
    """Height and width into which this camera's pictures are to be shrunk; none where nobody looks at small ones.

    Not where only a region is looked at, which is cut out first, nor for a detector that wants more than a slot takes.
    What is wrong with a model its recogniser says.
    """
    if "plate" not in camera.recognise or camera.roi:
        return ()
    try:
        model = find(settings.plate.detector, model_dirs(settings.gateway.data_dir))
        height, width = size_of(model, fast=settings.plate.mode == "fast")
    except ModelError:
        return ()
    return (height, width) if height * width <= MOST_SMALL else ()
