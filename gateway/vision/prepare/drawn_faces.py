"""Drawn faces, to find out between which numbers a face net works: no photograph of a person is needed for that.

Rule: the same count and seed give the same pictures. They look like nobody; what counts is that light, skin, edges and
blur come as they do in aligned faces.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.vision.prepare.dlib_resnet import SIDE

_EYES, _EYE_ROW = (46, 101), 45  # where the template of dlib-resnet puts them
_NOSE, _MOUTH = (74, 77), (75, 100)
_SKIN = (130, 160, 200)  # BGR
_DARK, _WHITE, _LIPS = (35, 35, 45), (235, 235, 235), (90, 80, 170)


def draw_faces(count: int, seed: int) -> NDArray[np.uint8]:
    """uint8 (count, 150, 150, 3) BGR."""
    rng = np.random.default_rng(seed)
    return np.stack([_spoil(_face(rng), rng) for _ in range(count)])


def _face(rng: np.random.Generator) -> NDArray[np.uint8]:
    face = np.full((SIDE, SIDE, 3), rng.integers(0, 256, 3), np.uint8)
    skin = _colour(np.clip(rng.normal(_SKIN, 40), 20, 250))
    cv2.ellipse(face, (SIDE // 2, SIDE // 2), (60, 80), 0, 0, 360, skin, cv2.FILLED)
    for eye in _EYES:
        cv2.ellipse(face, (eye, _EYE_ROW), (12, 5), 0, 0, 360, _WHITE, cv2.FILLED)
        cv2.circle(face, (eye, _EYE_ROW), 4, _DARK, cv2.FILLED)
        cv2.line(face, (eye - 14, _EYE_ROW - 13), (eye + 14, _EYE_ROW - 13), _DARK, 3)
    cv2.line(face, (_NOSE[0], 50), _NOSE, _colour(np.multiply(skin, 0.8)), 4)
    cv2.ellipse(face, _MOUTH, (24, 7), 0, 0, 360, _LIPS, cv2.FILLED)
    return face


def _spoil(face: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light from one side, little or much of it; noise; blur."""
    light = np.linspace(rng.uniform(0.4, 1.2), rng.uniform(0.4, 1.2), SIDE)[:, None] * rng.uniform(0.5, 1.2)
    lit = np.clip(face * light + rng.normal(0, 6, face.shape), 0, 255).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.5, 3)), np.uint8)


def _colour(values: NDArray[np.floating]) -> tuple[int, int, int]:
    blue, green, red = (int(value) for value in values)
    return blue, green, red
