"""What a camera above a lane would have delivered: street, cars on their way, light, noise, JPEG.

Rule: everything follows from the seed. Cars come from far (small, high in the picture) to near; the picture then passes
through what cameras do to it: movement blur, night, sensor noise, compression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.replay.cars import Car

if TYPE_CHECKING:
    from gateway.types import Image

WIDTH, HEIGHT = 1280, 720
NEAR, FAR = 1.0, 0.0
_FAR_WIDTH, _NEAR_WIDTH = 52.0, 190.0  # of a plate, in pixels
_MOST_ENLARGED = 1.15  # a photograph holds no more than its own pixels
_FAR_Y, _NEAR_Y = 190.0, 640.0  # of a plate's middle; beyond NEAR it leaves by the lower edge
_NOISES = 6
_NIGHT_PHOTO = 70.0  # mean grey value below which a photograph was itself taken in the dark


@dataclass(frozen=True, slots=True)
class Seat:
    """One car in one frame. `way`: 0 far … 1 near, more when it drives out below; `drift`: sideways, -1 … 1."""

    car: Car
    way: float
    drift: float
    blur: float  # pixels it moved while the shutter was open


@dataclass(frozen=True, slots=True)
class Light:
    """`day` 1 … 0 night; `rain` share of the picture under streaks."""

    day: float = 1.0
    rain: float = 0.0


class Street:
    """One camera's view."""

    def __init__(self, backgrounds: Path, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        roads = sorted(backgrounds.glob("udacity_*.jpg"))
        self._roads = [_sized(path) for path in roads]
        sigma = 5.0
        self._noise = [self._random.normal(0, sigma, (HEIGHT, WIDTH, 1)).astype(np.float32) for _ in range(_NOISES)]

    def frame(self, place: int, seats: Sequence[Seat], light: Light) -> Image:
        """One picture of the camera that stands at `place`."""
        scene = self._roads[place % len(self._roads)].astype(np.float32)
        scene *= 1.0 + 0.02 * float(self._random.standard_normal())  # exposure is never quite steady
        dark = 0.16 + 0.84 * light.day
        scene *= dark
        for seat in sorted(seats, key=lambda seat: seat.way):
            _place(scene, seat, light)
        if light.rain:
            self._rain(scene, light.rain)
        noise = self._noise[int(self._random.integers(_NOISES))]
        scene += noise * (2.2 - 1.4 * light.day)
        return _compressed(np.clip(scene, 0, 255).astype(np.uint8), int(self._random.integers(62, 82)))

    def _rain(self, scene: NDArray[np.float32], share: float) -> None:
        for _ in range(int(600 * share)):
            x, y = int(self._random.integers(WIDTH)), int(self._random.integers(HEIGHT - 30))
            scene[y : y + 28, x] = scene[y : y + 28, x] * 0.6 + 80


def _sized(path: Path) -> Image:
    picture: Any = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert picture is not None, path
    return np.asarray(cv2.resize(picture, (WIDTH, HEIGHT)), np.uint8)


def _place(scene: NDArray[np.float32], seat: Seat, light: Light) -> None:
    """Lay the car's piece where it is by now."""
    car = seat.car
    near = min(_NEAR_WIDTH, _MOST_ENLARGED * car.plate.width)
    wide = _FAR_WIDTH * (near / _FAR_WIDTH) ** min(seat.way, 1.4)
    scale = wide / car.plate.width
    size = max(2, round(car.piece.shape[1] * scale)), max(2, round(car.piece.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    piece = np.asarray(cv2.resize(car.piece, size, interpolation=way), np.float32)
    cover = np.asarray(cv2.resize(car.cover, size, interpolation=cv2.INTER_LINEAR), np.float32)
    if seat.blur >= 1.5:
        tall = int(seat.blur) | 1
        piece = np.asarray(cv2.blur(piece, (1, tall)), np.float32)
    x = WIDTH / 2 + seat.drift * 0.28 * WIDTH * (0.4 + 0.6 * seat.way)
    y = _FAR_Y + (_NEAR_Y - _FAR_Y) * seat.way
    left = round(x - scale * (car.plate.left + car.plate.right) / 2)
    top = round(y - scale * (car.plate.top + car.plate.bottom) / 2)
    if light.day < 1:
        piece = _at_night(piece, light.day, scale, car)
    _lay(scene, piece, cover, left, top)


def _at_night(piece: NDArray[np.float32], day: float, scale: float, car: Car) -> NDArray[np.float32]:
    """Bodies go dark; the lamp beside the camera still lights the plate; headlights bloom beside it."""
    height, width = piece.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    x = scale * (car.plate.left + car.plate.right) / 2
    y = scale * (car.plate.top + car.plate.bottom) / 2
    wide = scale * car.plate.width
    lit = np.exp(-(((columns - x) / (1.1 * wide)) ** 2 + ((rows - y) / (0.6 * wide)) ** 2))
    dark = piece.mean() < _NIGHT_PHOTO  # taken at night: its own lamps are in it, and it is dark enough
    share = np.ones_like(lit) if dark else day + (1 - day) * (0.18 + 0.5 * lit)
    piece = piece * share[..., None]
    for side in () if dark else (-1.15, 1.15):
        glow = np.exp(-(((columns - x - side * wide) ** 2 + (rows - y + 0.45 * wide) ** 2) / (0.35 * wide) ** 2))
        piece += (1 - day) * 230 * glow[..., None]
    return np.asarray(np.minimum(piece, 255), np.float32)


def _lay(
    scene: NDArray[np.float32], piece: NDArray[np.float32], cover: NDArray[np.float32], left: int, top: int
) -> None:
    height, width = piece.shape[:2]
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(WIDTH, left + width), min(HEIGHT, top + height)
    if x1 <= x0 or y1 <= y0:
        return
    part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    alpha = cover[part][..., None]
    below = scene[y0:y1, x0:x1]
    below += alpha * (piece[part] - below)


def _compressed(picture: Image, quality: int) -> Image:
    done, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
