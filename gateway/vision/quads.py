"""Four corners in a picture: overlaps, cutting a tilted plate out flat, and back.

Rule: a quad is float32 (4, 2): top left, top right, bottom right, bottom left of the plate as read, in pixels of the
picture; (0, 0) is the centre of the first pixel, as in cv2. Pictures are uint8 (H, W, 3) BGR.
"""

from __future__ import annotations

from functools import lru_cache
from math import dist, isfinite
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.types import Box

if TYPE_CHECKING:
    from gateway.types import Image


Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

GREY = 114
READ_WIDTH, READ_HEIGHT = 168, 48
WIDEN_X, WIDEN_Y = 0.02, 0.05  # share of width and height added on each side before reading
_SHRINK_BELOW = 0.6  # a smaller scale than this is done by area first: no aliasing
_SMALLEST_SIDE = 2.0  # pixels


def boxes_of(quads: Floats) -> Floats:
    """Quads (n, 4, 2) -> bounding boxes (n, 4): left, top, right, bottom."""
    return np.concatenate([quads.min(axis=1), quads.max(axis=1)], axis=1)


def overlap(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of one box (4,) with boxes (n, 4)."""
    sides = np.maximum(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0)
    own, others = box[2:] - box[:2], boxes[:, 2:] - boxes[:, :2]
    common = sides[:, 0] * sides[:, 1]
    either = others[:, 0] * others[:, 1] + (own[0] * own[1] - common)
    return np.asarray(common / np.maximum(either, 1e-6), np.float32)


def box_of(quad: Floats) -> Box:
    """The bounding box of one quad."""
    across, down = quad.T.tolist()
    return Box(min(across), min(down), max(across), max(down))


def is_sound(quad: Floats, width: int, height: int) -> bool:
    """Whether the quad is a convex shape, clockwise as seen, not tiny, at least half inside the picture."""
    corners = quad.tolist()
    if not isfinite(sum(x + y for x, y in corners)):
        return False
    for here, there, beyond in zip(corners, corners[1:] + corners[:1], corners[2:] + corners[:2], strict=True):
        (x, y), (u, v), (p, q) = here, there, beyond
        if (u - x) * (q - v) <= (v - y) * (p - u) or dist(here, there) < _SMALLEST_SIDE:
            return False
    box = box_of(quad)
    across = min(box.right, width) - max(box.left, 0)
    down = min(box.bottom, height) - max(box.top, 0)
    return max(across, 0) * max(down, 0) >= 0.5 * box.width * box.height


def warp(image: Image, quad: Floats, target: Floats, size: tuple[int, int]) -> tuple[Image, Matrix]:
    """Cut `quad` out so that its corners land on `target` in a picture of `size` (width, height).

    Returns the cut and the matrix from the picture to it. Always taken from the pixels given, at full resolution; a
    plate much larger than its target is shrunk by area first.
    """
    matrix = np.asarray(cv2.getPerspectiveTransform(quad, target), np.float64)
    factor = 0.8 * size[0] / max(dist(quad[0], quad[1]), 1.0)
    source, moved = image, matrix
    if factor < _SHRINK_BELOW:
        source, moved = _shrunk(image, matrix, size, max(2, round(1 / factor)))
    cut = cv2.warpPerspective(source, moved, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8), matrix


def _shrunk(image: Image, matrix: Matrix, size: tuple[int, int], times: int) -> tuple[Image, Matrix]:
    """The part of the picture that the cut shows, shrunk by area, and the matrix from there to the cut.

    A whole number of times: cv2 averages whole pixels up to twenty times faster than parts of pixels.
    """
    shown = place(_upright(*size), matrix)
    limits = image.shape[1] - times, image.shape[0] - times
    # inside the picture and never empty: outside it the border is repeated
    left, top = np.clip(np.floor(shown.min(axis=0)) - 2 * times, 0, np.maximum(limits, 0)).astype(int)
    right, bottom = np.clip(np.ceil(shown.max(axis=0)) + 2 * times, (left + times, top + times), image.shape[1::-1])
    inner = max(1, int(right - left) // times), max(1, int(bottom - top) // times)
    part = image[top : top + times * inner[1], left : left + times * inner[0]]
    small = np.asarray(cv2.resize(part, inner, interpolation=cv2.INTER_AREA), np.uint8)
    across, down = part.shape[1] / inner[0], part.shape[0] / inner[1]
    shift_x, shift_y = left + 0.5 * across - 0.5, top + 0.5 * down - 0.5
    return small, matrix @ np.array([[across, 0, shift_x], [0, down, shift_y], [0, 0, 1]])


def place(corners: Floats, matrix: Matrix) -> Floats:
    """Corners (4, 2) in a cut's pixels -> quad in the picture the cut was taken from, by the matrix to the cut.

    Corners that are no numbers stay so; cv2 would put them into the picture's own corner.
    """
    if not np.isfinite(corners).all():
        return np.full((4, 2), np.nan, np.float32)
    back = np.asarray(cv2.invert(matrix)[1], np.float64)
    return np.asarray(cv2.perspectiveTransform(corners[None].astype(np.float64), back)[0], np.float32)


def widen(quad: Floats, x: float = WIDEN_X, y: float = WIDEN_Y) -> Floats:
    """Move the corners outwards along the plate's own sides: a little air reads better than a cut edge."""
    tl, tr, br, bl = quad
    top, bottom, left, right = (tr - tl) * x, (br - bl) * x, (bl - tl) * y, (br - tr) * y
    return np.array([tl - top - left, tr + top - right, br + bottom + right, bl - bottom + left], np.float32)


def crop(image: Image, quad: Floats, *, two_rows: bool) -> Image:
    """The plate for the reader, uint8 (48, 168, 3); two rows are laid side by side."""
    width, height = READ_WIDTH, READ_HEIGHT
    if not two_rows:
        return warp(image, quad, _upright(width, height), (width, height))[0]
    tall, _ = warp(image, quad, _upright(width, 2 * height), (width, 2 * height))
    lower = tall[2 * height // 3 :]
    upper = cv2.resize(tall[: 5 * 2 * height // 12], (lower.shape[1], lower.shape[0]))
    return np.asarray(cv2.resize(np.hstack([upper, lower]), (width, height)), np.uint8)


@lru_cache
def _upright(width: int, height: int) -> Floats:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
