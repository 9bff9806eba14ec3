"""Finding faces with MTCNN: a net proposes windows on a pyramid, a second refines them, a third gives five points.

Boxes here are float32 rows x1, y1, x2, y2 in pixels of the picture. The arithmetic of windows and offsets (the +1 and
-1) is that of the package whose weights these are; change none of it without measuring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image

Array = NDArray[np.float32]

_WINDOW = 12  # pixels: what the first net sees
_STEP = 0.709  # each level of the pyramid has half the area of the one before
_GREY = 128  # what lies outside the picture
_MOST = 512  # candidates kept after the first net: a bound for noise and tiled patterns

_PROPOSE_OVERLAP, _ACROSS_OVERLAP, _REFINE_OVERLAP, _LOCATE_OVERLAP = 0.5, 0.7, 0.7, 0.7


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Least scores after each net."""

    propose: float = 0.6
    refine: float = 0.7
    locate: float = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """n faces, best first."""

    boxes: Array  # n x 4
    scores: Array  # n
    points: Array  # n x 5 x 2: eye and mouth corner on the image's left before those on its right


class Mtcnn:
    """The cascade. `min_face`: side in pixels of the smallest face looked for."""

    def __init__(self, pnet: Session, rnet: Session, onet: Session, min_face: int, thresholds: Thresholds) -> None:
        pnet.require((1, None, None, 3), ("offsets", "score"))
        rnet.require((None, 24, 24, 3), ("offsets", "score"))
        onet.require((None, 48, 48, 3), ("offsets", "points", "score"))
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        self._min_face = min_face
        self._thresholds = thresholds

    def find(self, image: Image) -> Found:
        """All faces of a BGR picture."""
        boxes = self._propose(image)
        boxes = self._refine(image, boxes)
        return self._locate(image, boxes)

    def _propose(self, image: Image) -> Array:
        boxes, scores = [np.empty((0, 4), np.float32)], [np.empty(0, np.float32)]
        for level, scale in pyramid(image, self._min_face):
            offsets, score = self._pnet.run(level[None])
            rows, columns = np.nonzero(score[0] > self._thresholds.propose)
            if not len(rows):
                continue
            corner = np.stack([columns, rows], 1).astype(np.float32) * 2 + 1
            window = np.hstack([corner, corner + _WINDOW - 1])
            window = (window + offsets[0, rows, columns] * (_WINDOW - 1)) / scale
            keep = suppress(window, score[0, rows, columns], _PROPOSE_OVERLAP)
            boxes.append(window[keep])
            scores.append(score[0, rows, columns][keep])
        window, score = np.vstack(boxes), np.concatenate(scores)
        return squared(window[suppress(window, score, _ACROSS_OVERLAP)])

    def _refine(self, image: Image, boxes: Array) -> Array:
        if not len(boxes):
            return boxes
        offsets, score = self._rnet.run(crops(image, boxes, 24))
        boxes = moved(boxes, offsets)
        sure = score > self._thresholds.refine
        boxes, score = boxes[sure], score[sure]
        return squared(boxes[suppress(boxes, score, _REFINE_OVERLAP)])

    def _locate(self, image: Image, boxes: Array) -> Found:
        if not len(boxes):
            return Found(boxes, np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
        offsets, relative, score = self._onet.run(crops(image, boxes, 48))
        corner, size = boxes[:, None, :2], (boxes[:, None, 2:] - boxes[:, None, :2] + 1)
        points = relative.transpose(0, 2, 1) * size + corner - 1
        boxes = moved(boxes, offsets)
        sure = score > self._thresholds.locate
        boxes, score, points = boxes[sure], score[sure], points[sure]
        keep = suppress(boxes, score, _LOCATE_OVERLAP, of_smaller=True)
        return Found(boxes[keep], score[keep], points[keep])


def pyramid(image: Image, min_face: int) -> list[tuple[Image, float]]:
    """Ever smaller pictures and their scales. Each comes from the one before, which is faster and loses no faces."""
    height, width = image.shape[:2]
    scale, levels, level = _WINDOW / min_face, [], image
    while min(height, width) * scale >= _WINDOW:
        size = int(width * scale), int(height * scale)
        level = cv2.resize(level, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        levels.append((level, scale))
        scale *= _STEP
    return levels


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


def moved(boxes: Array, offsets: Array) -> Array:
    """Boxes after a net's regression, which is relative to their sides."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2] + 1, 2)
    return boxes + offsets * sides


def squared(boxes: Array) -> Array:
    """The square around the same centre, as wide as the longer side."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.hstack([centre - half, centre + half])


def crops(image: Image, boxes: Array, side: int) -> NDArray[np.uint8]:
    """What each box shows, resized to n x side x side x 3; grey where it leaves the picture."""
    height, width = image.shape[:2]
    pieces = np.full((len(boxes), side, side, 3), _GREY, np.uint8)
    for piece, (left, top, right, bottom) in zip(pieces, np.rint(boxes).astype(int), strict=True):
        if right <= 0 or bottom <= 0 or left >= width or top >= height or right <= left or bottom <= top:
            continue
        seen = image[max(top, 0) : bottom, max(left, 0) : right]
        missing = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
        if any(missing):
            seen = cv2.copyMakeBorder(seen, *missing, cv2.BORDER_CONSTANT, value=(_GREY, _GREY, _GREY))  # type: ignore[assignment]
        way = cv2.INTER_AREA if seen.shape[0] > side else cv2.INTER_LINEAR
        cv2.resize(seen, (side, side), dst=piece, interpolation=way)
    return pieces
