"""Finding faces with MTCNN: a net proposes windows on a pyramid, a second refines them, a third gives five points.

Rule: the arithmetic of windows and offsets (the +1 and -1) is that of the package whose weights these are;
change none of it without measuring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.vision.catalogue import Model
from gateway.vision.detectors.candidates import Array, Found, suppress
from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image

_WINDOW = 12  # pixels: what the first net sees
_STEP = 0.709  # each level of the pyramid has half the area of the one before
_GREY = 128  # what lies outside the picture
_AT_ONCE = 32  # windows of one run: a busy picture has hundreds, which would take 50 MB and no less time

# A portrait or thumbnail may be all face, and the first net wants to see around it. Measured on photos cropped to 90 %
# of the face: of 185, 97 are missed as they are and 13 with a quarter of the edge repeated on each side.
_SMALL = 400  # pixels of the shorter side; such a picture costs little even when padded
_PADDING = 0.25

_PROPOSE_OVERLAP, _ACROSS_OVERLAP, _REFINE_OVERLAP, _LOCATE_OVERLAP = 0.5, 0.7, 0.7, 0.7


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Least scores after each net."""

    propose: float = 0.6
    refine: float = 0.7
    locate: float = 0.8


class Mtcnn:
    """The cascade. `min_face`: side in pixels of the smallest face looked for."""

    def __init__(self, model: Model, *, min_face: int, threads: int) -> None:
        pnet, rnet, onet = (
            Session(model.read(f"{net}.onnx"), threads, name=f"{model.name}/{net}") for net in ("pnet", "rnet", "onet")
        )
        try:
            self._thresholds = Thresholds(**model.card.thresholds)
        except TypeError as error:
            raise model.unfit("模型卡中是别的模型的 thresholds", "its card has another model's thresholds") from error
        pnet.require((1, None, None, 3), ("offsets", "score"))
        rnet.require((None, 24, 24, 3), ("offsets", "score"))
        onet.require((None, 48, 48, 3), ("offsets", "points", "score"))
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        self._min_face = min_face

    def find(self, image: Image) -> Found:
        """See `candidates.Detector`."""
        pad = round(min(image.shape[:2]) * _PADDING) if min(image.shape[:2]) <= _SMALL else 0
        wider: Image = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE) if pad else image  # type: ignore[assignment]
        boxes = self._propose(wider)
        boxes = self._refine(wider, boxes)
        found = self._locate(wider, boxes)
        return Found(found.boxes - pad, found.scores, found.points - pad)

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
        offsets, score = _in_parts(self._rnet, image, boxes, 24)
        boxes = moved(boxes, offsets)
        sure = score > self._thresholds.refine
        boxes, score = boxes[sure], score[sure]
        return squared(boxes[suppress(boxes, score, _REFINE_OVERLAP)])

    def _locate(self, image: Image, boxes: Array) -> Found:
        if not len(boxes):
            return Found(boxes, np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
        offsets, relative, score = _in_parts(self._onet, image, boxes, 48)
        corner, size = boxes[:, None, :2], (boxes[:, None, 2:] - boxes[:, None, :2] + 1)
        points = relative.transpose(0, 2, 1) * size + corner - 1
        boxes = moved(boxes, offsets)
        sure = score > self._thresholds.locate
        boxes, score, points = boxes[sure], score[sure], points[sure]
        keep = suppress(boxes, score, _LOCATE_OVERLAP, of_smaller=True)
        return Found(boxes[keep], score[keep], points[keep])


def _in_parts(net: Session, image: Image, boxes: Array, side: int) -> list[Array]:
    """The outputs of a net for what each box shows, a few boxes at a time. There must be one box at least."""
    parts = [net.run(crops(image, boxes[at : at + _AT_ONCE], side)) for at in range(0, len(boxes), _AT_ONCE)]
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


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
