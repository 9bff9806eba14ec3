"""Adapter `corner-patch`: a candidate cut out flat gets its four corners again, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gateway.vision import quads
from gateway.vision.catalogue import Model
from gateway.vision.plates.values import PlateDetection, plate_colours, shares
from gateway.vision.quads import Floats, Matrix
from gateway.vision.quicker import open_quicker

if TYPE_CHECKING:
    from gateway.types import Image

WIDTH, HEIGHT = 160, 80  # pixels of a patch
PLACE = np.array([[20, 20], [140, 20], [140, 60], [20, 60]], np.float32)  # where a candidate lies in its patch


def patch(image: Image, quad: Floats) -> tuple[Image, Matrix]:
    """A candidate with its surroundings, uint8 (80, 160, 3), and the matrix from the picture to it."""
    return quads.warp(image, quad, PLACE, (WIDTH, HEIGHT))


class CornerPatch:
    """A refiner, always fed from the pixels the camera delivered. Used by one thread."""

    def __init__(self, model: Model) -> None:
        self._session = open_quicker(model)
        self._session.require((None, HEIGHT, WIDTH, 3), ("corners", "score", "rows", "colour"))
        self._colours = plate_colours(model)
        self.threshold = model.card.thresholds.get("score", 0.5)

    def look(self, image: Image, candidates: Sequence[PlateDetection]) -> list[PlateDetection]:
        """See `Refines`. One batch for all candidates."""
        if not candidates:
            return []
        cuts = [patch(image, one.quad) for one in candidates]
        corners, score, rows, colour = self._session.run(np.array([cut for cut, _ in cuts]))
        return [
            PlateDetection(
                quads.place(corners[index].reshape(4, 2), matrix),
                float(score[index]),
                float(rows[index]),
                shares(self._colours, colour[index]),
            )
            for index, (_, matrix) in enumerate(cuts)
        ]
