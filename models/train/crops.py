"""Rectified plate crops as the reader meets them: quads a little off, few pixels, everyday light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.train.numbers import Random
from models.train.paint import Image
from models.train.plates import Plate
from models.train.world import Points, degrade, map_points, place, scenery

WIDTH, HEIGHT = 168, 48


@dataclass(frozen=True, slots=True)
class Slack:
    """How far quads are off: share that nobody rectified, error of a corner in widths, and in y at most so many
    heights; slope and shear (standard deviations) and cut of the unrectified."""

    askew: float
    corner: float
    rise: float
    slope: float
    shear: float
    cut: tuple[float, float]


EASY = Slack(0.18, 0.012, 2.5, 0.09, 0.12, (0.92, 1.02))
HARD = Slack(0.6, 0.015, 3.3, 0.12, 0.16, (0.88, 1.03))


def unfold(image: Image) -> Image:
    """Two rows become one: upper 5/12 (stretched) and lower 2/3 of the plate, side by side."""
    height, width = image.shape[:2]
    lower = image[height // 3 :]
    upper = cv2.resize(image[: height * 5 // 12], (width, lower.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.hstack((upper, lower)), np.uint8)


def fit(image: Image, rows: int) -> Image:
    """Bring a rectified plate of any size to the reader's 168x48."""
    flat = unfold(image) if rows == 2 else image
    shrinks = flat.shape[1] > WIDTH
    return np.asarray(
        cv2.resize(flat, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8
    )


def _size(rng: Random, rows: int, strength: float) -> tuple[int, int]:
    """Pixels the camera spent on the plate: 12 to about 60 high for one row, foreshortened now and then."""
    lowest = 26 - 14 * strength
    height = np.exp(rng.uniform(np.log(lowest), np.log(64))) * (1.6 if rows == 2 else 1.0)
    width = height * (2.0 if rows == 2 else 3.3) * rng.uniform(1 - 0.35 * strength, 1.15)
    return max(24, round(width)), max(10, round(height))


def _quad(rng: Random, width: int, height: int, strength: float, slack: Slack) -> Points:
    """Where the true corners lie in the crop: a detector's error, a tight or loose cut, at times no rectification."""
    loose = rng.normal(0.012, 0.022 * strength, 4) * (width, height * 2.2, width, height * 2.2)
    left, top, right, bottom = loose
    quad = np.array([(left, top), (width - right, top), (width - right, height - bottom), (left, height - bottom)])
    quad += rng.normal(0, slack.corner * (0.3 + strength), (4, 2)) * (width, min(width, slack.rise * height))
    if rng.random() < slack.askew * strength:
        quad = _unrectified(rng, quad, width, height, slack)
    return quad.astype(np.float32)


def _unrectified(rng: Random, quad: Points, width: int, height: int, slack: Slack) -> Points:
    """A plate seen askew in an upright box."""
    slope, shear = rng.normal(0, slack.slope), rng.normal(0, slack.shear)
    centred = quad - (width / 2, height / 2)
    turned = np.stack((centred[:, 0] + shear * centred[:, 1], centred[:, 1] + slope * centred[:, 0]), 1)
    room = np.array([width, height]) / 2 / np.abs(turned).max(0)
    return np.asarray(turned * room * rng.uniform(*slack.cut) + (width / 2, height / 2), np.float32)


def crop(rng: Random, plate: Plate, strength: float, slack: Slack) -> tuple[Image, Points]:
    """Return the plate as uint8 [48, 168, 3] and its character centres in that image (float32 [n, 2])."""
    width, height = _size(rng, plate.rows, strength)
    scene = scenery(rng, width, height)
    matrix = place(plate.image, scene, _quad(rng, width, height, strength, slack))
    seen = degrade(rng, scene, strength)
    centres = map_points(matrix, plate.centres) / (width, height)
    if plate.rows == 2:
        row = np.arange(len(centres)) >= 2
        centres[:, 1] = np.where(row, (centres[:, 1] - 1 / 3) * 1.5, centres[:, 1] * 12 / 5)
        centres[:, 0] = (centres[:, 0] + row) / 2
    return fit(seen, plate.rows), (centres * (WIDTH, HEIGHT)).astype(np.float32)
