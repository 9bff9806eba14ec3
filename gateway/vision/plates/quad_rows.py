"""Adapter `quad-rows`: detectors that answer with one row a candidate: HyperLPR's and other YOLO kin with corners.

Output 1 x N x 15 in pixels of the input: centre, width, height, objectness, four corners (x, y; top left, top right,
bottom right, bottom left), probability of one row and of two. Input 1 x 3 x S x S RGB, 0..1, the picture scaled to fit
in the middle of a grey square.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from gateway.vision import quads
from gateway.vision.catalogue import Model
from gateway.vision.images import normalise
from gateway.vision.plates.values import PlateDetection
from gateway.vision.quads import Floats
from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image

_COLUMNS = 15
_MOST_ROWS = 200  # best first
_MOST_CANDIDATES = 12


class QuadRows:
    """A detector with a row for each candidate. Used by one thread."""

    def __init__(self, model: Model, *, fast: bool = False) -> None:  # noqa: ARG002 - its size is its own
        self._session = Session(model.read(), name=model.name)
        shape, answers = self._session.shape, list(self._session.outputs.values())
        square = len(shape) == 4 and shape[1] == 3 and shape[2] is not None and shape[2] == shape[3]
        if not square or len(answers) != 1 or answers[0][-1] != _COLUMNS:
            raise model.unfit("不适用于适配器 quad-rows", "is not made for adapter quad-rows")
        self._side = int(shape[2] or 0)
        self._score = model.card.thresholds.get("score", 0.3)
        self._overlap = model.card.thresholds.get("overlap", 0.5)

    def propose(self, image: Image, small: Image | None = None) -> list[PlateDetection]:  # noqa: ARG002
        """See `Proposes`. Its card gives no size, so nobody has made the small picture before."""
        image = normalise(image)
        height, width = image.shape[:2]
        tensor, scale, shift = self._sheet(image)
        rows = self._session.run(tensor)[0][0]
        scores = rows[:, 4] * rows[:, 13:15].max(axis=1)
        kept: list[PlateDetection] = []
        for index in np.argsort(-scores)[:_MOST_ROWS]:
            if not scores[index] >= self._score or len(kept) == _MOST_CANDIDATES:
                break
            quad = ((rows[index, 5:13].reshape(4, 2) - shift) / scale).astype(np.float32)
            one = PlateDetection(quad, float(scores[index]), float(rows[index, 14] > rows[index, 13]), {})
            if quads.is_sound(quad, width, height) and all(one.box.iou(other.box) < self._overlap for other in kept):
                kept.append(one)
        return kept

    def _sheet(self, image: Image) -> tuple[Floats, float, Floats]:
        """The net's input, its pixels for one of the picture, and where the picture begins on it (x, y)."""
        height, width = image.shape[:2]
        scale = min(self._side / width, self._side / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        left, top = (self._side - size[0]) // 2, (self._side - size[1]) // 2
        square = np.full((self._side, self._side, 3), quads.GREY, np.uint8)
        square[top : top + size[1], left : left + size[0]] = small
        tensor = np.ascontiguousarray(square[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        return tensor, scale, np.array([left, top], np.float32)
