"""What stands around a plate: drawn car bodies, and decoys that look like plates but are none.

Everything is drawn flat, seen from the front, on a canvas whose unit is the width of the plate; `scenes` then turns
canvas and plate by one and the same perspective.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.train.glyphs import Glyphs
from models.train.numbers import ALPHABET, LETTERS, Random

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

LEFT, RIGHT, TOP, BOTTOM = 2.3, 2.3, 2.4, 1.2  # reach of a car's canvas from the plate's centre, in plate widths
PAINTS: tuple[Colour, ...] = (
    (235, 235, 235), (25, 25, 25), (170, 170, 170), (90, 90, 90), (30, 30, 150), (120, 60, 20), (60, 80, 110),
    (40, 90, 40), (30, 160, 210), (150, 110, 60), (40, 40, 60),
)  # fmt: skip
PANELS: tuple[Colour, ...] = ((180, 70, 10), (20, 180, 230), (120, 190, 90), (240, 240, 240), (30, 30, 30))


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A decoy's picture, uint8 [h, w, 3]; `doubtful` where a small one cannot be told from a plate."""

    image: Image
    doubtful: bool


def shade(rng: Random, colour: Colour, spread: int = 25) -> Colour:
    """Return a colour near the given one."""
    moved = np.clip(np.array(colour) * rng.uniform(0.75, 1.2) + rng.integers(-spread, spread + 1, 3), 0, 255)
    return int(moved[0]), int(moved[1]), int(moved[2])


def metal(rng: Random, low: int = 60, high: int = 245) -> Colour:
    """Return a grey with hardly any colour."""
    grey = int(rng.integers(low, high + 1))
    return shade(rng, (grey, grey, grey), 6)


def anything(rng: Random) -> Colour:
    """Return any colour."""
    blue, green, red = rng.integers(0, 256, 3)
    return int(blue), int(green), int(red)


class Car:
    """The front or back of a car around a plate of aspect `aspect` (height / width), `unit` px a plate width."""

    def __init__(self, rng: Random, unit: float, aspect: float) -> None:
        self._rng, self._unit, self._aspect = rng, unit, aspect
        size = (round((TOP + BOTTOM) * unit), round((LEFT + RIGHT) * unit))
        self.image: Image = np.zeros((*size, 3), np.uint8)
        self.cover: Image = np.zeros(size, np.uint8)
        self._paint = shade(rng, PAINTS[int(rng.integers(len(PAINTS)))])

    def draw(self) -> None:
        """Fill image and cover (0 or 255)."""
        rng = self._rng
        self._body()
        if rng.random() < 0.8:
            self._grille()
        if rng.random() < 0.85:
            self._lamps()
        if rng.random() < 0.7:
            self._bumper()
        if rng.random() < 0.6:
            self._recess()
        if rng.random() < 0.5:
            self._emblem()

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round((x + LEFT) * self._unit), round((y + TOP) * self._unit)

    def _box(self, x: float, y: float, right: float, bottom: float, colour: Colour, line: int = -1) -> None:
        cv2.rectangle(self.image, self._at(x, y), self._at(right, bottom), colour, line, cv2.LINE_AA)

    def _body(self) -> None:
        rng = self._rng
        half, top, bottom = rng.uniform(1.3, 2.25), -rng.uniform(0.9, 2.3), rng.uniform(0.3, 1.1)
        height, width = self.cover.shape
        ramp = np.interp(np.arange(height), [0, height * rng.uniform(0.2, 0.8), height - 1], rng.uniform(0.55, 1.15, 3))
        paint = np.clip(ramp[:, None] * np.array(self._paint)[None], 0, 255).astype(np.uint8)
        self.image[:] = np.broadcast_to(paint[:, None], (height, width, 3))
        narrow = half * rng.uniform(0.6, 1.0)
        outline = [
            (-narrow, top),
            (narrow, top),
            (half, top * 0.4),
            (half, bottom),
            (-half, bottom),
            (-half, top * 0.4),
        ]
        cv2.fillPoly(self.cover, [np.array([self._at(x, y) for x, y in outline], np.int32)], 255, cv2.LINE_AA)
        if top < -1.5:
            glass = [(-narrow * 0.9, top), (narrow * 0.9, top), (half * 0.9, top * 0.6), (-half * 0.9, top * 0.6)]
            dark = shade(rng, (60, 55, 50), 30)
            cv2.fillPoly(self.image, [np.array([self._at(x, y) for x, y in glass], np.int32)], dark, cv2.LINE_AA)
        self._box(-half, bottom - rng.uniform(0, 0.25), half, bottom, (15, 15, 15))

    def _grille(self) -> None:
        rng = self._rng
        half, bottom = rng.uniform(0.4, 1.1), -rng.uniform(0.1, 0.5) - self._aspect / 2
        top = bottom - rng.uniform(0.15, 0.7)
        if rng.random() < 0.3:  # the plate hangs in front of the grille
            bottom = self._aspect / 2 + rng.uniform(0, 0.4)
        self._box(-half, top, half, bottom, shade(rng, (25, 25, 25), 15))
        bar, count = metal(rng), int(rng.integers(2, 9))
        thick = max(1, round(self._unit * rng.uniform(0.01, 0.04)))
        kind = rng.random()
        if kind < 0.7:
            for y in np.linspace(top, bottom, count):
                cv2.line(self.image, self._at(-half, y), self._at(half, y), bar, thick, cv2.LINE_AA)
        if kind > 0.5:
            for x in np.linspace(-half, half, count * 3):
                cv2.line(self.image, self._at(x, top), self._at(x, bottom), bar, thick, cv2.LINE_AA)
        if rng.random() < 0.5:
            self._box(-half, top, half, bottom, bar, thick + 1)

    def _lamps(self) -> None:
        rng = self._rng
        x, y = rng.uniform(1.0, 1.7), -rng.uniform(0.2, 1.1)
        axes = (max(1, round(self._unit * rng.uniform(0.15, 0.5))), max(1, round(self._unit * rng.uniform(0.1, 0.3))))
        glow = shade(rng, (240, 245, 250) if rng.random() < 0.6 else (40, 40, 190), 20)
        angle = rng.uniform(-25, 25)
        for side in (-1, 1):
            cv2.ellipse(self.image, self._at(side * x, y), axes, side * angle, 0, 360, glow, -1, cv2.LINE_AA)
            inner = (axes[0] // 2, axes[1] // 2)
            cv2.ellipse(self.image, self._at(side * x, y), inner, 0, 0, 360, shade(rng, glow, 60), -1, cv2.LINE_AA)

    def _bumper(self) -> None:
        rng = self._rng
        y = self._aspect / 2 + rng.uniform(0.03, 0.4)
        self._box(
            -rng.uniform(0.5, 2), y, rng.uniform(0.5, 2), y + rng.uniform(0.05, 0.4), shade(rng, (35, 35, 35), 20)
        )
        for _ in range(int(rng.integers(0, 4))):
            y = rng.uniform(-1, 0.8)
            tone = shade(rng, self._paint, 15)
            line = max(1, round(self._unit * 0.02))
            cv2.line(self.image, self._at(-2.2, y), self._at(2.2, y + rng.uniform(-0.1, 0.1)), tone, line, cv2.LINE_AA)

    def _recess(self) -> None:
        rng = self._rng
        x, y = 0.5 + rng.uniform(0.01, 0.3), self._aspect / 2 + rng.uniform(0.01, 0.15)
        tone = shade(rng, self._paint, 10) if rng.random() < 0.5 else metal(rng, 10, 120)
        self._box(-x, -y, x, y, tone)
        if rng.random() < 0.4:
            self._box(-x, -y, x, y, metal(rng), max(1, round(self._unit * 0.02)))

    def _emblem(self) -> None:
        rng = self._rng
        centre = self._at(rng.uniform(-0.05, 0.05), -self._aspect / 2 - rng.uniform(0.25, 0.7))
        radius = max(1, round(self._unit * rng.uniform(0.06, 0.16)))
        cv2.circle(self.image, centre, radius, metal(rng), max(1, radius // 3), cv2.LINE_AA)
        if rng.random() < 0.5:
            y = -self._aspect / 2 - rng.uniform(0.1, 0.6)
            place, size = self._at(rng.uniform(-0.9, 0.2), y), self._unit / 200 * rng.uniform(0.6, 1.5)
            tone = metal(rng)
            cv2.putText(self.image, word(rng, 3, 9), place, cv2.FONT_HERSHEY_DUPLEX, size, tone, 1, cv2.LINE_AA)


def word(rng: Random, shortest: int, longest: int, letters: str = LETTERS) -> str:
    """Return a word of random letters."""
    return "".join(letters[int(i)] for i in rng.integers(len(letters), size=int(rng.integers(shortest, longest + 1))))


def _ground(rng: Random, width: int, height: int) -> Image:
    colour = shade(rng, PANELS[int(rng.integers(len(PANELS)))]) if rng.random() < 0.75 else anything(rng)
    image = np.empty((height, width, 3), np.uint8)
    image[:] = colour
    if rng.random() < 0.5:
        inset = max(1, height // 20)
        line = anything(rng)
        cv2.rectangle(image, (inset, inset), (width - inset, height - inset), line, max(1, height // 30), cv2.LINE_AA)
    return image


def _contrast(rng: Random, image: Image) -> Colour:
    dark = float(image.mean()) < 140
    return shade(rng, (235, 235, 235) if dark else (25, 25, 25), 15)


def _bars(rng: Random, image: Image) -> None:
    height, width = image.shape[:2]
    tone, count = anything(rng), int(rng.integers(2, 12))
    for step in range(count):
        share, thick = (step + 0.5) / count, max(1, round(height * rng.uniform(0.03, 0.15)))
        if count > 5:
            cv2.line(image, (round(share * width), 0), (round(share * width), height), tone, thick, cv2.LINE_AA)
        else:
            cv2.line(image, (0, round(share * height)), (width, round(share * height)), tone, thick, cv2.LINE_AA)


def _latin(rng: Random, image: Image, foreign: bool) -> None:
    height, width = image.shape[:2]
    text = f"{word(rng, 1, 3)}{'- '[int(rng.integers(2))]}{word(rng, 2, 4, '0123456789')}{word(rng, 0, 2)}"
    font = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)[int(rng.integers(3))]
    text = text if foreign else word(rng, 2, 10)
    thick = max(1, height // 14)
    (reach, tall), _ = cv2.getTextSize(text, font, 1.0, thick)
    size = min(width * 0.88 / reach, height * 0.7 / tall)
    place = (round((width - reach * size) / 2), round((height + tall * size) / 2))
    cv2.putText(image, text, place, font, size, _contrast(rng, image), thick, cv2.LINE_AA)
    if foreign and rng.random() < 0.5:
        image[:, : round(width * 0.09)] = (160, 50, 10)


def _glyphs(rng: Random, image: Image, glyphs: Glyphs) -> None:
    """Plate glyphs in a layout that no plate has: few and large, a column, three rows, or scattered."""
    height, width = image.shape[:2]
    rows, columns = ((1, int(rng.integers(1, 4))), (3, int(rng.integers(2, 7))), (1, 13), (4, 1))[int(rng.integers(4))]
    ink = np.array(_contrast(rng, image), np.float32)
    high, wide = max(2, round(height / rows * 0.75)), max(2, round(min(width / columns * 0.8, height / rows * 0.6)))
    for row in range(rows):
        for column in range(columns):
            character = ALPHABET[int(rng.integers(len(ALPHABET)))]
            if not glyphs.has(character):
                continue
            mask = glyphs.mask("140", character, wide, high)[:, :, None]
            y, x = round((row + 0.12) * height / rows), round((column + 0.5) * width / columns - wide / 2)
            part = image[y : y + high, max(0, x) : max(0, x) + wide]
            cut = mask[: part.shape[0], : part.shape[1]]
            part[:] = (part * (1 - cut) + ink * cut).astype(np.uint8)


def decoy(rng: Random, glyphs: Glyphs, width: int) -> Panel:
    """Draw a panel `width` pixels wide that is no plate."""
    height = max(6, round(width * rng.uniform(0.22, 0.7)))
    image = _ground(rng, width, height)
    kind = rng.random()
    if kind < 0.2:
        return Panel(image, doubtful=False)
    if kind < 0.4:
        _bars(rng, image)
    elif kind < 0.6:
        _glyphs(rng, image, glyphs)
    else:
        _latin(rng, image, foreign=kind > 0.8)
    return Panel(image, doubtful=kind > 0.8)


def stamp(rng: Random, image: Image) -> None:
    """Write a camera's overlay (time, place) or a watermark into the finished picture."""
    height, width = image.shape[:2]
    text = "{:04d}-{:02d}-{:02d} {:02d}:{:02d}:{:02d}".format(*rng.integers(1, [2030, 13, 32, 24, 60, 60]))
    text = text if rng.random() < 0.6 else word(rng, 4, 14, LETTERS + "0123456789 .")
    place = (int(rng.integers(0, width // 2)), int(rng.choice([rng.integers(12, 40), rng.integers(12, height)])))
    size, thick = rng.uniform(0.3, 0.9), int(rng.integers(1, 3))
    if rng.random() < 0.5:
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), thick + 2, cv2.LINE_AA)
    tone = (255, 255, 255) if rng.random() < 0.7 else anything(rng)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, tone, thick, cv2.LINE_AA)
