"""The motion gate: does anything move here? Cheap enough to be asked of every picture.

A picture is reduced to cells of brightness, each the mean of a few dozen pixels. Two things are learnt of each cell:
its usual brightness, within seconds, and how much it usually differs from it, within half a minute. So sensor noise at
night and a tree in the wind are usual, a car is not, and one that stops becomes usual.

Rule: in doubt it moves. What the gate holds back is never looked at, so it holds back only what is still.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gateway.types import Image

_ACROSS: Final = 96  # cells in a row
_STEP: Final = 2  # of a large picture every second pixel of every second row is enough
_LARGE: Final = 640
_USUAL_S: Final = 2.0  # after so long a new brightness is the usual one
_NOISE_S: Final = 30.0  # after so long a new unrest is the usual one
_LEAST: Final = 8.0  # levels of brightness (of 255) that nobody could mean
_TIMES: Final = 8.0  # how many times its usual unrest a cell must differ
_MOST_NOISE: Final = 8.0  # levels: no unrest makes a cell blind
_CELLS: Final = 4  # so many neighbours must differ

Floats = NDArray[np.float32]


class MotionGate:
    """For one camera. `roi` is a polygon in shares of the picture; without one the whole picture counts."""

    def __init__(self, roi: Sequence[Sequence[float]] = ()) -> None:
        self._roi = [tuple(corner) for corner in roi]
        self._mask: NDArray[np.uint8] | None = None
        self._usual: Floats | None = None
        self._noise: Floats | None = None
        self._at = 0.0
        self._seen = 0

    def moves(self, pixels: Image, at: float) -> bool:
        """Whether this picture shows movement; `at` is monotonic seconds. The first one always does."""
        cells = _cells(pixels)
        if self._usual is None or self._noise is None or self._usual.shape != cells.shape:
            self._begin(cells, at)
            return True
        passed, self._at = max(0.0, at - self._at), at
        differs = cells - self._usual
        differs -= np.float32(np.median(differs))  # a cloud, a lamp or the camera's own exposure lights all alike
        unrest = np.abs(differs)
        moved = (unrest > np.maximum(_LEAST, _TIMES * self._noise)).astype(np.uint8)
        if self._mask is not None:
            moved &= self._mask
        self._learn(cells, unrest, passed)
        return _cluster(moved) >= _CELLS

    def _begin(self, cells: Floats, at: float) -> None:
        self._usual, self._noise, self._at = cells, np.full_like(cells, 1.0), at
        self._seen = 0
        height, width = cells.shape
        if len(self._roi) >= 3:
            corners = np.array([(round(x * width), round(y * height)) for x, y in self._roi], np.int32)
            mask = np.zeros(cells.shape, np.uint8)
            cv2.fillPoly(mask, [corners], 1)
            self._mask = mask

    def _learn(self, cells: Floats, unrest: Floats, passed: float) -> None:
        assert self._usual is not None
        assert self._noise is not None
        self._usual += (cells - self._usual) * np.float32(min(1.0, passed / _USUAL_S))
        self._seen += 1  # the first pictures count in full, so that a night begins quietly
        quick = np.float32(min(1.0, max(passed / _NOISE_S, 1.0 / (1 + self._seen))))
        self._noise += (np.minimum(unrest, _MOST_NOISE) - self._noise) * quick


def _cells(pixels: Image) -> Floats:
    """Mean brightness of each cell. Green stands for brightness."""
    step = _STEP if pixels.shape[1] > _LARGE else 1
    green = np.ascontiguousarray(pixels[::step, ::step, 1])
    height = max(1, round(_ACROSS * pixels.shape[0] / pixels.shape[1]))
    small: Any = cv2.resize(green, (_ACROSS, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _cluster(moved: NDArray[np.uint8]) -> int:
    """How many cells the largest group of neighbours has."""
    if not moved.any():
        return 0
    _, _, stats, _ = cv2.connectedComponentsWithStats(moved, connectivity=8)
    return int(stats[1:, cv2.CC_STAT_AREA].max())
