"""YuNet: one look, three strides, five points. Input BGR 0..255 without scaling, free or fixed size.

Rule: per stride s the net gives `cls_s`, `obj_s` (sigmoid applied), `bbox_s` and `kps_s`; a score is the root of cls
times obj, a box is centre and log size in cells, points are offsets in cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gateway.errors import ModelError
from gateway.vision.catalogue import VERIFY, Model
from gateway.vision.detectors.candidates import Array, Found, bounds, finish, grid, lay, longest_side
from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image

_STRIDES = (8, 16, 32)
_KINDS = ("cls", "obj", "bbox", "kps")
_LARGEST = 8.0  # log of cells: no face is wider than a picture


class YuNet:
    """See `candidates.Detector`."""

    def __init__(self, model: Model, *, min_face: int, threads: int) -> None:
        self._net = Session(model.read(), threads, name=model.name)
        if len(self._net.shape) != 4 or self._net.shape[1] != 3 or not _names() <= set(self._net.outputs):
            raise model.unfit("不是三种步长、带关键点的 YuNet", "is no YuNet with three strides and points")
        self._min_face = min_face
        self._longest = longest_side(model)
        self._score, self._overlap = bounds(model, 0.6, 0.45)

    def find(self, image: Image) -> Found:
        sheet = lay(image, (self._net.shape[2], self._net.shape[3]), self._longest)
        planes = np.ascontiguousarray(sheet.pixels.transpose(2, 0, 1)[None], self._net.dtype)
        found = dict(zip(self._net.outputs, self._net.run(planes), strict=True))
        height, width = sheet.pixels.shape[:2]
        parts = [self._decode(found, stride, grid(height, width, stride)) for stride in _STRIDES]
        return finish(parts, sheet, self._overlap, self._min_face)

    def _decode(self, found: Mapping[str, Array], stride: int, cells: Array) -> Found:
        try:
            sure, there, box, points = (found[f"{kind}_{stride}"].reshape(len(cells), -1) for kind in _KINDS)
            scores = np.sqrt(np.clip(sure[:, 0], 0, 1) * np.clip(there[:, 0], 0, 1))
            keep = scores > self._score
            cells, box, marks = cells[keep], box[keep], points[keep].reshape(-1, 5, 2)
            centre, half = (cells + box[:, :2]) * stride, np.exp(np.minimum(box[:, 2:4], _LARGEST)) * stride / 2
        except ValueError as error:
            raise ModelError(f"model {self._net.name} answers in another shape than YuNet does", hint=VERIFY) from error
        return Found(np.hstack([centre - half, centre + half]), scores[keep], (marks + cells[:, None]) * stride)


def _names() -> set[str]:
    return {f"{kind}_{stride}" for kind in _KINDS for stride in _STRIDES}
