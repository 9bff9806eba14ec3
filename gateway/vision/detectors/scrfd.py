"""SCRFD and its kin: one look, strides 8, 16, 32, some anchors a cell, boxes and points as distances from the cell.

Rule: outputs are told apart by their last side (1 score, 4 distances, 10 point offsets) and their length, never by
name, because each export names them otherwise. Scores have their sigmoid; distances are in strides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway.errors import ModelError
from gateway.vision.catalogue import VERIFY, Model
from gateway.vision.detectors.candidates import Array, Found, bounds, finish, grid, lay, longest_side
from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image

_STRIDES = (8, 16, 32)
_ANCHORS = 2  # the card's [output] anchors
_MEAN, _STD = 127.5, 128.0  # of RGB


class Scrfd:
    """See `candidates.Detector`."""

    def __init__(self, model: Model, *, min_face: int, threads: int) -> None:
        self._net = Session(model.read(), threads, name=model.name)
        if len(self._net.shape) != 4 or self._net.shape[1] != 3 or len(self._net.outputs) != 3 * len(_STRIDES):
            raise model.unfit("不是三种步长、带关键点的 SCRFD", "is no SCRFD with three strides and points")
        self._anchors = int(str(model.card.output.get("anchors", _ANCHORS)))
        self._min_face = min_face
        self._longest = longest_side(model)
        self._score, self._overlap = bounds(model, 0.5, 0.4)

    def find(self, image: Image) -> Found:
        sheet = lay(image, (self._net.shape[2], self._net.shape[3]), self._longest)
        planes = (sheet.pixels[..., ::-1].transpose(2, 0, 1)[None] - _MEAN) / _STD
        found = self._net.run(np.ascontiguousarray(planes, self._net.dtype))
        height, width = sheet.pixels.shape[:2]
        parts = [self._decode(found, stride, height, width) for stride in _STRIDES]
        return finish(parts, sheet, self._overlap, self._min_face)

    def _decode(self, found: Sequence[Array], stride: int, height: int, width: int) -> Found:
        centres = np.repeat(grid(height, width, stride) * stride, self._anchors, axis=0)
        score, distances, offsets = (self._of(found, len(centres), last) for last in (1, 4, 10))
        keep = score[:, 0] > self._score
        centres, distances = centres[keep], distances[keep] * stride
        points = offsets[keep].reshape(-1, 5, 2) * stride + centres[:, None]
        boxes = np.hstack([centres - distances[:, :2], centres + distances[:, 2:]])
        return Found(boxes, score[keep, 0], points)

    def _of(self, found: Sequence[Array], length: int, last: int) -> Any:
        """The one output of that length and last side, with or without a batch in front."""
        for output in found:
            if output.shape[-1] == last and output.size == length * last:
                return output.reshape(length, last)
        raise ModelError(
            f"model {self._net.name} gives no {length} x {last} output: is [output] anchors right?", hint=VERIFY
        )
