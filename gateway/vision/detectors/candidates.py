"""What every face detector needs: a picture laid on the net's input, the grid of its cells, the best of its boxes.

Rule: boxes are float32 rows x1, y1, x2, y2 and points are 5 x 2: eyes, nose, mouth corners, the image's left before its
right. What leaves `finish` is in pixels of the picture that came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.vision.catalogue import Model

if TYPE_CHECKING:
    from gateway.types import Image

Array = NDArray[np.float32]

_MOST = 512  # candidates: a bound for noise and tiled patterns


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """n faces, best first."""

    boxes: Array  # n x 4
    scores: Array  # n
    points: Array  # n x 5 x 2


class Detector(Protocol):
    """What an adapter gives. Used by one thread."""

    def find(self, image: Image) -> Found:
        """All faces of a BGR picture of any size."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A net's input with the picture in its top left corner; the rest is black."""

    pixels: Image
    scale: float  # pixels of the sheet for one of the picture, at most 1


def lay(image: Image, size: tuple[int | None, int | None], longest: int, multiple: int = 32) -> Sheet:
    """Shrink a picture to the net's height and width or, where these are free, to `longest`; never enlarge it.

    Free sides are filled up to a multiple of the largest stride.
    """
    height, width = image.shape[:2]
    scale = min(1.0, (size[0] or longest) / height, (size[1] or longest) / width)
    if scale < 1:
        small = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    height, width = image.shape[:2]
    sides = size[0] or -(-height // multiple) * multiple, size[1] or -(-width // multiple) * multiple
    pixels = np.zeros((*sides, 3), np.uint8)
    pixels[:height, :width] = image
    return Sheet(pixels, scale)


def grid(height: int, width: int, stride: int) -> Array:
    """Column and row of each cell, row by row: n x 2."""
    rows, columns = np.mgrid[: height // stride, : width // stride]
    return np.stack([columns.ravel(), rows.ravel()], 1).astype(np.float32)


def finish(parts: Sequence[Found], sheet: Sheet, overlap: float, min_face: int) -> Found:
    """One answer from the candidates of all strides, in pixels of the picture, without what is smaller than asked."""
    back = np.float32(1 / sheet.scale)
    boxes: Array = np.concatenate([part.boxes for part in parts]) * back
    scores = np.concatenate([part.scores for part in parts])
    points: Array = np.concatenate([part.points for part in parts]) * back
    sides = boxes[:, 2:] - boxes[:, :2]
    good = np.flatnonzero((sides.max(axis=1) >= min_face) & np.isfinite(points).all(axis=(1, 2)))
    keep = good[suppress(boxes[good], scores[good], overlap)]
    return Found(boxes[keep], scores[keep], points[keep])


def suppress(boxes: Array, scores: Array, overlap: float, *, of_smaller: bool = False) -> NDArray[np.intp]:
    """Indices of the boxes that stay, best first: none covers a better one by more than `overlap`.

    Overlap is the shared area over the union, or over the smaller box.
    """
    order = np.argsort(-scores, kind="stable")[:_MOST]
    if len(order) < 2:
        return order
    ranked = boxes[order]
    low = np.maximum(ranked[:, None, :2], ranked[None, :, :2])
    high = np.minimum(ranked[:, None, 2:], ranked[None, :, 2:])
    sides = np.maximum(high - low + 1, 0)
    shared = sides[..., 0] * sides[..., 1]
    area = np.diagonal(shared)
    whole = np.minimum(area[:, None], area) if of_smaller else area[:, None] + area - shared
    covered = shared > overlap * whole
    alive = np.ones(len(order), bool)
    for index in range(len(order)):
        if alive[index]:
            alive[index + 1 :] &= ~covered[index, index + 1 :]
    return order[alive]


def longest_side(model: Model, default: int = 640) -> int:
    """The card's [input] `longest`: pixels of the longer side that the net is given where its input is free."""
    value = model.card.input.get("longest", default)
    if not isinstance(value, int) or not 64 <= value <= 4096:
        raise model.unfit("模型卡的 longest 须为 64 至 4096 像素", "its card must give longest as 64 to 4096 pixels")
    return value


def bounds(model: Model, score: float, overlap: float) -> tuple[float, float]:
    """The card's [thresholds] `score` and `overlap`, with an adapter's defaults; another key is a mistake."""
    given = model.card.thresholds
    if not set(given) <= {"score", "overlap"}:
        raise model.unfit("模型卡中是别的模型的 thresholds", "its card has another model's thresholds")
    return given.get("score", score), given.get("overlap", overlap)
