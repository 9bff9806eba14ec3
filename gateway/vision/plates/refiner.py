"""Adapter `corner-patch`: a candidate cut out flat gets its four corners again, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gateway.vision import quads
from gateway.vision.catalogue import Model
from gateway.vision.plates.values import PlateDetection, plate_colours, shares
from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image

_SIZE = 160, 80  # width and height of a patch
_PLACE = np.array([[20, 20], [140, 20], [140, 60], [20, 60]], np.float32)  # where a candidate lies in its patch


class CornerPatch:
    """A refiner, always fed from the pixels the camera delivered. Used by one thread."""

    def __init__(self, model: Model) -> None:
        self._session = Session(model.read(), name=model.name)
        self._session.require((None, _SIZE[1], _SIZE[0], 3), ("corners", "score", "rows", "colour"))
        self._colours = plate_colours(model)
        self.threshold = model.card.thresholds.get("score", 0.5)

    def look(self, image: Image, candidates: Sequence[PlateDetection]) -> list[PlateDetection]:
        """See `Refines`. One batch for all candidates."""
        if not candidates:
            return []
        cuts = [quads.warp(image, one.quad, _PLACE, _SIZE) for one in candidates]
        corners, score, rows, colour = self._session.run(np.stack([cut for cut, _ in cuts]))
        return [
            PlateDetection(
                quads.place(corners[index].reshape(4, 2), matrix),
                float(score[index]),
                float(rows[index]),
                shares(self._colours, colour[index]),
            )
            for index, (_, matrix) in enumerate(cuts)
        ]
