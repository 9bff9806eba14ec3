"""Glyph bitmaps of GA 36 plates, read from a folder with labels.csv (columns file, plate, character).

The kinds of glyph are named as in that file: "140" (one-row plates), "220" (province and digits of two-row
plates), "220_up" and "220_down" (letters of their rows), "green" (new energy). A kind lacks some characters;
`Glyphs.mask` then borrows the shape from the one-row set. Letter O has the shape of zero on real plates.
The folder has no 应 急 民 航: where OpenCV is 5 or newer they are drawn with its built-in font, thickened.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

DRAWN = "应急民航"
DEFAULT_GLYPHS = Path("../shared/data/glyphs")

Mask = npt.NDArray[np.float32]


def _drawn(character: str) -> npt.NDArray[np.uint8] | None:
    """Draw a character the folder lacks, as ink 255 on 0; None where this OpenCV has no such font."""
    if not hasattr(cv2, "FontFace"):
        return None
    canvas = np.zeros((260, 260, 3), np.uint8)
    cv2.putText(canvas, character, (20, 220), (255, 255, 255), cv2.FontFace("uni"), 200)
    thick = cv2.dilate(canvas[:, :, 0], cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 5)))
    x, y, width, height = cv2.boundingRect(thick)
    return np.asarray(thick[y : y + height, x : x + width], np.uint8)


class Glyphs:
    """Coverage masks by kind and character: float32 [height, width], 0 plate, 1 ink."""

    def __init__(self, folder: Path) -> None:
        self._bitmaps: dict[tuple[str, str], npt.NDArray[np.uint8]] = {}
        self._sized: dict[tuple[str, str, int, int], Mask] = {}
        with (folder / "labels.csv").open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                bitmap = cv2.imread(str(folder / row["file"]), cv2.IMREAD_GRAYSCALE)
                if bitmap is None:
                    raise FileNotFoundError(folder / row["file"])
                self._bitmaps[row["plate"], row["character"]] = np.asarray(255 - bitmap, np.uint8)
        for character in DRAWN:
            if (shape := _drawn(character)) is not None:
                self._bitmaps["140", character] = shape
        for kind in ("140", "220", "220_up", "green"):
            self._bitmaps.setdefault((kind, "O"), self._source(kind, "0"))

    def has(self, character: str) -> bool:
        """Whether any plate can carry this character."""
        return ("140", character) in self._bitmaps

    def _source(self, kind: str, character: str) -> npt.NDArray[np.uint8]:
        return self._bitmaps.get((kind, character), self._bitmaps["140", character])

    def mask(self, kind: str, character: str, width: int, height: int) -> Mask:
        """Return the coverage of one character scaled to width x height pixels."""
        key = (kind, character, width, height)
        if key not in self._sized:
            bitmap = self._source(kind, character)
            sized = cv2.resize(bitmap, (width, height), interpolation=cv2.INTER_AREA)
            self._sized[key] = np.asarray(sized, np.float32) / 255.0
        return self._sized[key]
