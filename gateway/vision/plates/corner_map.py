"""Adapter `corner-map`: each cell of a coarse map says whether a plate is there and where its four corners are.

Rule: the small letterboxed picture serves only to find candidates. Pre- and post-processing are those the model was
trained with (models/train/detector.py); `gateway.vision.letterbox` makes the picture. The card's [input] gives `width`
and `height` of it and, for the fast mode, `fast_width` and `fast_height`; its [thresholds] may give `fast_score`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gateway.vision import quads
from gateway.vision.catalogue import Model
from gateway.vision.images import normalise
from gateway.vision.letterbox import fit, shrink, size_of
from gateway.vision.plates.values import SAME_PLATE, PlateDetection, plate_colours, shares
from gateway.vision.quads import Floats
from gateway.vision.quicker import open_quicker
from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image

_VOTE_OVERLAP = 0.40  # cells whose boxes overlap the best cell's by this much vote together
_MOST_CELLS = 2000  # best first: a picture full of plates cannot slow the vote down
MOST_CANDIDATES = 12


class CornerMap:
    """A detector with a map of corners. Used by one thread.

    Only the fast mode may take its int8 form, which loses a plate here and there in the larger picture.
    """

    def __init__(self, model: Model, *, fast: bool = False) -> None:
        height, width = size_of(model, fast=fast)
        sizes = {"height": height, "width": width}
        self._session = open_quicker(model, sizes) if fast else Session(model.read(), name=model.name, sizes=sizes)
        self._session.require((1, height, width, 3), ("score", "corners", "rows", "colour"))
        self._colours = plate_colours(model)
        least = model.card.thresholds.get("score", 0.3)
        self._candidate_score = model.card.thresholds.get("fast_score", least) if fast else least
        self._cell_score = model.card.thresholds.get("cell", 0.2)
        self._canvas = np.full((1, height, width, 3), quads.GREY, np.uint8)
        self._filled = (height, width)

    def propose(self, image: Image, small: Image | None = None) -> list[PlateDetection]:
        """See `Proposes`. Grey, 16-bit and 4-channel pictures are converted."""
        image = normalise(image)
        height, width = image.shape[:2]
        scale = self._lay(image, small)
        score, corners, rows, colour = self._session.run(self._canvas)
        found = self._vote(
            score.ravel(), corners.reshape(-1, 8), rows.ravel(), colour.reshape(-1, len(self._colours)), scale
        )
        return [one for one in found if quads.is_sound(one.quad, width, height)]

    def _lay(self, image: Image, small: Image | None) -> float:
        """The picture onto the canvas, top left, the rest grey; returns the scale. See `gateway.vision.letterbox`."""
        to = fit(image.shape, self._canvas.shape[1:3])
        if (to.height, to.width) != self._filled:
            self._canvas[:] = quads.GREY
            self._filled = (to.height, to.width)
        place = self._canvas[0, : to.height, : to.width]
        if small is not None and small.shape == place.shape:
            place[:] = small
        else:
            shrink(image, to, place)
        return to.scale

    def _vote(self, score: Floats, corners: Floats, rows: Floats, colour: Floats, scale: float) -> list[PlateDetection]:
        """Cells -> candidates, best first. The corners are the mean over a plate's cells, weighted by their scores."""
        (chosen,) = (score >= self._cell_score).nonzero()
        chosen = chosen[(-score[chosen]).argsort()][:_MOST_CELLS]
        weights, cells = score[chosen], corners[chosen] / np.float32(scale)
        boxes = quads.boxes_of(cells.reshape(-1, 4, 2))
        free = np.ones(len(chosen), bool)
        found: list[PlateDetection] = []
        while len(found) < MOST_CANDIDATES and free.any():
            best = int(free.argmax())
            if weights[best] < self._candidate_score:
                break
            agrees = quads.overlap(boxes[best], boxes)
            voters = free & (agrees >= _VOTE_OVERLAP)
            voters[best] = True
            share, at = weights[voters], chosen[voters]
            share /= share.sum()
            quad = (share @ cells[voters]).reshape(4, 2)
            tints = shares(self._colours, share @ colour[at])
            found.append(PlateDetection(quad, float(weights[best]), float(share @ rows[at]), tints))
            free &= (agrees < SAME_PLATE) & ~voters
        return found
