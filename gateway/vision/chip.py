"""Aligning a face: five points give the turn, scale and shift that put it where the embedding net expects it.

The rule: a similarity only (never a reflection or a stretch), least squares over weighted points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gateway.types import Image

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """Where the five points belong in a chip of `width` x `height` pixels, and how much each counts."""

    points: Array  # 5 x 2
    weights: Array  # 5
    width: int
    height: int


def similarity(points: NDArray[np.floating], template: Template) -> Array:
    """The 2 x 3 matrix that takes picture pixels to chip pixels."""
    have = points[:, 0].astype(np.float64) + 1j * points[:, 1]
    want = template.points[:, 0] + 1j * template.points[:, 1]
    weight = template.weights / template.weights.sum()
    have_centre, want_centre = (weight * have).sum(), (weight * want).sum()
    have, want = have - have_centre, want - want_centre
    turn = (weight * np.conj(have) * want).sum() / max((weight * np.abs(have) ** 2).sum(), 1e-9)
    shift = want_centre - turn * have_centre
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def cut_chip(image: Image, points: NDArray[np.floating], template: Template) -> Image:
    """The aligned face, BGR; black where it leaves the picture. A large face is shrunk before it is turned."""
    matrix = similarity(points, template)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    image, left, top = _around(image, matrix, template)
    matrix[:, 2] += matrix[:, :2] @ (left, top)
    if scale < 1 and min(image.shape[:2]) * scale >= 1:
        height, width = image.shape[:2]
        smaller = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        ratio = np.array([width / smaller.shape[1], height / smaller.shape[0]])
        # the centre of pixel i of the smaller picture lies at (i + 0.5) * ratio - 0.5 of the larger one
        matrix[:, 2] += matrix[:, :2] @ ((ratio - 1) / 2)
        matrix[:, :2] *= ratio
        image = smaller  # type: ignore[assignment]
    chip: Image = cv2.warpAffine(image, matrix, (template.width, template.height), flags=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return chip


def _around(image: Image, matrix: Array, template: Template) -> tuple[Image, int, int]:
    """The part of the picture that the chip shows, and its place: so a face in a large frame costs no more."""
    corners = np.array([[0, 0], [template.width, 0], [0, template.height], [template.width, template.height]], float)
    back = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    left, top = np.maximum(np.floor(back.min(axis=0)).astype(int) - 2, 0)
    right, bottom = np.minimum(np.ceil(back.max(axis=0)).astype(int) + 3, image.shape[1::-1])
    if right <= left or bottom <= top:
        return image, 0, 0
    return image[top:bottom, left:right], int(left), int(top)
