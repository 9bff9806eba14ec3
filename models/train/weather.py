"""Light, weather, lens and compression of a whole scene; quick, as a scene has 245,760 pixels.

(`world` does the same for a single plate, in floats and with more care.)
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from models.train.numbers import Random
from models.train.world import jpeg, video

Image = npt.NDArray[np.uint8]

_GRAIN = np.random.default_rng(4).normal(0, 40, (512, 832, 3)).astype(np.int16)


def tone(rng: Random, image: Image, night: bool) -> Image:
    """Exposure, gamma, contrast and white balance through one table a channel."""
    level = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0.0, 0.3))
    gain = np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.07 if rng.random() < 0.9 else 0.35, 3))
    if night:
        gain = gain * rng.uniform(0.15, 0.55)
    lift = rng.uniform(0, 0.35) if rng.random() < 0.12 else rng.normal(0, 0.03)
    table = level * gain * (1 - abs(lift)) + lift
    return np.asarray(cv2.LUT(image, np.clip(table * 255, 0, 255).astype(np.uint8)[:, None, :]), np.uint8)


def lamps(rng: Random, image: Image) -> None:
    """Soft round lights, as headlamps in the dark."""
    height, width = image.shape[:2]
    small = np.zeros((height // 8, width // 8), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.integers(width // 8)), int(rng.integers(height // 8)))
        cv2.circle(small, centre, int(rng.integers(1, 5)), int(rng.integers(140, 256)), -1)
    soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), rng.uniform(1.0, 4.0)), (width, height))
    image[:] = cv2.add(image, cv2.merge([soft, soft, soft]))


def backlight(rng: Random, image: Image) -> Image:
    """A bright sky over a dark road: below a soft horizon little light is left."""
    height = image.shape[0]
    horizon = rng.uniform(0, 0.6) * height
    dusk = np.interp(
        np.arange(height), [horizon, horizon + rng.uniform(0.05, 0.4) * height], [1, rng.uniform(0.12, 0.5)]
    )
    return np.asarray((image * (dusk * 256).astype(np.uint16)[:, None, None]) >> 8, np.uint8)


def blur(rng: Random, image: Image) -> Image:
    """Out of focus, shake, or fewer pixels than there seem to be."""
    kind = rng.random()
    if kind < 0.5:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.35, 1.6)), np.uint8)
    if kind < 0.7:
        length = int(rng.integers(3, 9))
        kernel = np.zeros((length, length), np.float32)
        middle, angle = (length - 1) / 2, rng.uniform(0, np.pi) if rng.random() < 0.5 else rng.normal(0, 0.15)
        dx, dy = middle * np.cos(angle), middle * np.sin(angle)
        ends = ((round(middle - dx), round(middle - dy)), (round(middle + dx), round(middle + dy)))
        cv2.line(kernel, *ends, 1.0, 1)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
    height, width = image.shape[:2]
    share = rng.uniform(0.45, 0.9)
    small = cv2.resize(image, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def grain(rng: Random, image: Image, strength: float) -> Image:
    """Sensor noise with a deviation of `strength` grey levels, coloured or grey."""
    height, width = image.shape[:2]
    y, x = int(rng.integers(512 - height + 1)), int(rng.integers(832 - width + 1))
    noise = _GRAIN[y : y + height, x : x + width]
    if rng.random() < 0.4:
        noise = np.broadcast_to(noise[:, :, :1], noise.shape)
    scaled = cv2.convertScaleAbs(noise, alpha=strength / 40)
    signed = np.where(noise > 0, cv2.add(image, scaled), cv2.subtract(image, scaled))
    return np.asarray(signed, np.uint8)


def spoil(rng: Random, image: Image) -> Image:
    """Return the scene as a camera would have stored it."""
    night = rng.random() < 0.15
    if rng.random() < 0.15:
        image = backlight(rng, image)
    image = tone(rng, image, night)
    if (night and rng.random() < 0.6) or rng.random() < 0.04:
        lamps(rng, image)
    if rng.random() < 0.06:
        image = np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)
    if rng.random() < 0.5:
        image = blur(rng, image)
    if night or rng.random() < 0.35:
        image = grain(rng, image, rng.uniform(1, 12))
    way = rng.random()
    return jpeg(rng, image, 0.9) if way < 0.35 else video(rng, image, 0.9) if way < 0.5 else image
