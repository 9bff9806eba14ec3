"""Flat plates with the geometry of GA 36: one row 440x140 mm, new energy 480x140, two rows 440x220.

`draw(rng, glyphs)` returns a plate seen from the front, clean or worn, with the centre of each character.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.train.glyphs import DRAWN, Glyphs, Mask
from models.train.layouts import Cell, Layout, layout_of
from models.train.numbers import CLASSES, LETTERS, Number, Random, invent
from models.train.paint import paint

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """image: uint8 [h, w, 3] BGR; centres: float32 [characters, 2] x, y in pixels of that image."""

    image: Image
    text: str
    colour: str
    rows: int
    centres: npt.NDArray[np.float32]


def _glyph_set(cell: Cell, character: str, rows: int) -> str:
    return "220" if rows == 2 and character not in LETTERS + "O" else cell.glyphs


def _stamp(canvas: Mask, mask: Mask, x: int, y: int) -> None:
    height, width = mask.shape
    view = canvas[y : y + height, x : x + width]
    np.maximum(view, mask[: view.shape[0], : view.shape[1]], out=view)


def ink(number: Number, layout: Layout, glyphs: Glyphs, scale: float, dotted: bool = True) -> tuple[Mask, Mask]:
    """Return the coverage of the ordinary and of the red ink, each float32 [h, w], at `scale` px a millimetre."""
    shape = (round(layout.height * scale), round(layout.width * scale))
    plain, red = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for index, (cell, character) in enumerate(zip(layout.cells, number.text, strict=True)):
        size = max(2, round(cell.width * scale)), max(2, round(cell.height * scale))
        mask = glyphs.mask(_glyph_set(cell, character, layout.rows), character, *size)
        _stamp(red if index in layout.red else plain, mask, round(cell.x * scale), round(cell.y * scale))
    for x, y in layout.dots if dotted else ():
        centre = (round(x * scale * 16), round(y * scale * 16))
        cv2.circle(plain, centre, round(5 * scale * 16), 1.0, -1, cv2.LINE_AA, 4)
    return plain, red


def possible(glyphs: Glyphs) -> frozenset[str]:
    """Return the classes whose characters are all among the glyphs."""
    drawn = all(glyphs.has(character) for character in DRAWN)
    return frozenset(name for name in CLASSES if drawn or name not in ("emergency", "aviation"))


def draw(rng: Random, glyphs: Glyphs, scale: float = 1.0, number: Number | None = None, clean: bool = False) -> Plate:
    """Draw one plate at `scale` pixels a millimetre; without `number` a class is drawn by its share."""
    chosen = number or invent(rng, possible(glyphs))
    layout = layout_of(chosen)
    dotted = rng.random() < 0.9
    image = paint(rng, chosen, layout, *ink(chosen, layout, glyphs, scale, dotted or clean), scale, clean)
    centres = np.array([(c.x + c.width / 2, c.y + c.height / 2) for c in layout.cells], np.float32) * scale
    return Plate(image, chosen.text, chosen.colour, layout.rows, centres)
