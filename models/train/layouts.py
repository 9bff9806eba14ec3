"""Where the characters stand on a plate, in millimetres, with the geometry of GA 36.

One row 440x140, new energy 480x140, two rows 440x220, motorcycles 220x140.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.train.numbers import Number


@dataclass(frozen=True, slots=True)
class Cell:
    """Where one character stands, in millimetres from the top left, and which glyph set it uses."""

    x: float
    y: float
    width: float
    height: float
    glyphs: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A plate's size, its cells and its dots (x, y), in millimetres; `red` are indices of red characters."""

    width: float
    height: float
    cells: tuple[Cell, ...]
    dots: tuple[tuple[float, float], ...] = ()
    red: tuple[int, ...] = ()
    rows: int = 1


def _row(width: float, widths: Sequence[float], gaps: Sequence[float], glyphs: str = "140") -> Layout:
    """One row 140 mm high, centred; `gaps` stand between the characters, those over 20 mm hold the dot."""
    x = (width - sum(widths) - sum(gaps)) / 2
    cells, dots = [], []
    for index, cell_width in enumerate(widths):
        cells.append(Cell(x, 25, cell_width, 90, glyphs))
        x += cell_width
        if index < len(gaps):
            if gaps[index] > 20:
                dots.append((x + gaps[index] / 2, 70.0))
            x += gaps[index]
    return Layout(width, 140, tuple(cells), tuple(dots))


def _gaps(count: int, dot_after: int, dot: float = 34, gap: float = 12) -> list[float]:
    return [dot if index == dot_after else gap for index in range(count - 1)]


def _two_rows(width: float, height: float) -> Layout:
    """The 440x220 design, stretched where the plate is smaller (motorcycle 220x140)."""
    upper = [Cell(x, 15, 80, 60, kind) for x, kind in ((110, "220"), (250, "220_up"))]
    lower = [Cell(27.5 + 80 * index, 90, 65, 110, "220_down") for index in range(5)]
    sx, sy = width / 440, height / 220
    cells = tuple(Cell(c.x * sx, c.y * sy, c.width * sx, c.height * sy, c.glyphs) for c in upper + lower)
    return Layout(width, height, cells, ((220 * sx, 45 * sy),), rows=2)


def layout_of(number: Number) -> Layout:
    """Return the layout of a number, with its red characters."""
    count = len(number.text)
    match number.layout:
        case "two_rows" | "motorcycle":
            return _two_rows(*((440, 220) if number.layout == "two_rows" else (220, 140)))
        case "green_small" | "green_large":
            return _row(480, [45] + [43] * 7, _gaps(8, 1, 49, 9), "green")
        case "emergency":
            return _with_red(_row(480, [45] + [43] * 7, _gaps(8, 0, 49, 9)), (6, 7))
        case "armed":
            width = 45 if count == 7 else 41
            return _with_red(_row(440, [width] * count, _gaps(count, count - 6, 30, 12 if count == 7 else 8)), (0, 1))
        case "military":
            return _with_red(_row(440, [45] * 7, _gaps(7, 1)), (0, 1))
        case "police":
            layout = _row(440, [45] * 7, _gaps(7, 0))
            return _with_red(layout, (6,)) if number.colour == "white" else layout
        case "embassy_new":
            return _row(440, [45] * 7, _gaps(7, 2))
        case "embassy_old":
            return _row(440, [45] * 7, _gaps(7, 3))
        case _:
            return _row(440, [45] * 7, _gaps(7, 1))


def _with_red(layout: Layout, red: tuple[int, ...]) -> Layout:
    return Layout(layout.width, layout.height, layout.cells, layout.dots, red, layout.rows)
