"""Colours, wear and fittings of a plate: ground, ink, rim, embossing, bolts, frame, dirt, scratches."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from models.train.layouts import Layout
from models.train.numbers import Number, Random

Float = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

# Hue (OpenCV, 0-180), saturation, value of each ground: ranges seen on photographs.
GROUNDS = {
    "blue": ((100, 119), (110, 250), (80, 235)),
    "yellow": ((16, 29), (150, 250), (150, 250)),
    "green": ((52, 78), (70, 170), (150, 235)),
    "white": ((0, 180), (0, 25), (170, 250)),
    "black": ((0, 180), (0, 60), (15, 75)),
}
LIGHT_INK = ("blue", "black")


def _between(rng: Random, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _bgr(rng: Random, ranges: tuple[tuple[int, int], ...]) -> Float:
    hsv = np.array([[[int(rng.integers(low, high + 1)) for low, high in ranges]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0], np.float32)


def _ground(rng: Random, number: Number, shape: tuple[int, int], scale: float) -> Float:
    """The bare plate, float32 [h, w, 3]."""
    height, width = shape
    base = np.empty((height, width, 3), np.float32)
    base[:] = _bgr(rng, GROUNDS["green"] if number.colour == "green" else GROUNDS[number.colour])
    if number.layout == "aviation":
        base[:] = _bgr(rng, ((60, 80), (150, 250), (60, 130)))
    elif number.layout == "green_small":
        top = _bgr(rng, ((40, 80), (0, 40), (205, 252)))
        ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** _between(rng, 0.6, 1.8)
        base = top * (1 - ramp) + base * ramp
    elif number.layout == "green_large":
        base[:, : round(150 * scale)] = _bgr(rng, GROUNDS["yellow"])
    return base


def _ink_colour(rng: Random, number: Number) -> Float:
    if number.colour in LIGHT_INK or number.layout == "aviation":
        return np.full(3, _between(rng, 190, 255), np.float32) + rng.uniform(-12, 6, 3).astype(np.float32)
    return np.full(3, _between(rng, 5, 60), np.float32) + rng.uniform(0, 15, 3).astype(np.float32)


def _rim(rng: Random, plain: Float, scale: float, two_rows: bool) -> Float:
    """The printed line near the edge, as coverage float32 [h, w]."""
    height, width = plain.shape
    inset = round(_between(rng, 3, 7) * scale)
    line = max(1, round(_between(rng, 1.5, 3.5) * scale))
    rim = np.zeros_like(plain)
    if height > 4 * inset and not (two_rows and rng.random() < 0.2):
        cv2.rectangle(rim, (inset, inset), (width - 1 - inset, height - 1 - inset), 1.0, line, cv2.LINE_AA)
    return np.asarray(rim * _between(rng, 0.3, 1.0), np.float32)


def _emboss(rng: Random, image: Float, coverage: Float, scale: float) -> None:
    """Light one edge of the raised characters and shade the other, in place."""
    reach = max(1, round(_between(rng, 1, 2.5) * scale))
    dx, dy = int(rng.integers(-reach, reach + 1)), int(rng.integers(-reach, reach + 1))
    slope = coverage - np.roll(coverage, (dy, dx), (0, 1))
    image += (slope * _between(rng, 10, 60))[:, :, None]


def _bolts(rng: Random, image: Float, layout: Layout, scale: float) -> None:
    """Two or four screws with caps or holes, near the standard places."""
    y_top = (12.0 if layout.rows == 1 else 25.0) * layout.height / (140 if layout.rows == 1 else 220)
    across = (0.22 if layout.rows == 1 else 0.14) * layout.width + _between(rng, -12, 12)
    places = [(across, y_top), (layout.width - across, y_top)]
    if rng.random() < 0.7:
        places += [(x, layout.height - y_top) for x, _ in places]
    radius = _between(rng, 3.5, 9.5)
    shade = _bgr(rng, ((0, 180), (0, 60), (30, 250)))
    for x, y in places:
        x, y = x + _between(rng, -5, 5), y + _between(rng, -4, 4)
        centre, size = (round(x * scale * 16), round(y * scale * 16)), round(radius * scale * 16)
        cv2.circle(image, centre, size, shade.tolist(), -1, cv2.LINE_AA, 4)
        cv2.circle(image, centre, round(size * 0.55), (shade * _between(rng, 0.4, 1.2)).tolist(), -1, cv2.LINE_AA, 4)


def _frame(rng: Random, image: Image, scale: float) -> None:
    """A holder that hides the outer millimetres, now and then with a wider lower lip and Latin words."""
    height, width = image.shape[:2]
    shade = _bgr(rng, ((0, 180), (0, 40), ((10, 60) if rng.random() < 0.6 else (120, 240))))
    side, top = round(_between(rng, 3, 10) * scale), round(_between(rng, 3, 12) * scale)
    lip = round(_between(rng, 4, 20) * scale)
    image[:, :side] = image[:, width - side :] = shade
    image[:top] = image[height - lip :] = shade
    if lip > 8 * scale and rng.random() < 0.5:
        word = "".join(chr(int(c)) for c in rng.integers(65, 91, int(rng.integers(4, 12))))
        place = (round(width * _between(rng, 0.1, 0.5)), height - max(1, lip // 4))
        ink = (255 - shade).tolist()
        cv2.putText(image, word, place, cv2.FONT_HERSHEY_SIMPLEX, lip / 32, ink, 1, cv2.LINE_AA)


def _wear(rng: Random, coverage: Float) -> Float:
    """Let the ink flake off in blotches."""
    height, width = coverage.shape
    blotches = cv2.resize(
        rng.random((max(2, height // 6), max(2, width // 6)), np.float32),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )
    gone = np.clip((blotches - _between(rng, 0.7, 1.0)) * 6, 0, _between(rng, 0.3, 0.9))
    return np.asarray(coverage * (1 - gone), np.float32)


def paint(
    rng: Random, number: Number, layout: Layout, plain: Float, red: Float, scale: float, clean: bool = False
) -> Image:
    """Return the plate as uint8 [h, w, 3] BGR from the coverage of its inks; a clean one has no wear and no frame."""
    height, width = plain.shape
    image = _ground(rng, number, (height, width), scale)
    if not clean and rng.random() < 0.25:
        plain, red = _wear(rng, plain), _wear(rng, red)
    if rng.random() < 0.5:
        _emboss(rng, image, np.maximum(plain, red), scale)
    rim = np.maximum(plain, _rim(rng, plain, scale, layout.rows == 2))[:, :, None]
    image += (_ink_colour(rng, number) - image) * rim
    if layout.red:
        image += (_bgr(rng, ((0, 8), (170, 255), (130, 230))) - image) * red[:, :, None]
    if rng.random() < 0.6:
        _bolts(rng, image, layout, scale)
    finished = np.asarray(np.clip(image, 0, 255), np.uint8)
    if not clean and rng.random() < 0.3:
        _frame(rng, finished, scale)
    return finished
