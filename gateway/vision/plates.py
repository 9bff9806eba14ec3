"""Plates in a picture: a corner-map detector, a refiner that looks again at each candidate, a reader.

Rule: the small letterboxed picture serves only to find candidates; what is refined and read is always cut from the
pixels the camera delivered. Pre- and post-processing are those the models were trained with (models/train/decode.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gateway.errors import ModelError
from gateway.plate_rules import BLACK, BLUE, GREEN, WHITE, YELLOW
from gateway.types import Box
from gateway.vision import quads
from gateway.vision.catalogue import VERIFY, Model
from gateway.vision.grammar import Calibration
from gateway.vision.images import normalise
from gateway.vision.quads import Floats, Matrix
from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image

COLOURS = {"black": BLACK, "white": WHITE, "blue": BLUE, "yellow": YELLOW, "green": GREEN}
_VOTE_OVERLAP = 0.40  # cells whose boxes overlap the best cell's by this much vote together
_SUPPRESS_OVERLAP = 0.30
_MAX_CELLS = 2000  # best first: a picture full of plates cannot slow the vote down
_MAX_CANDIDATES = 12
_PATCH_WIDTH, _PATCH_HEIGHT = 160, 80
_PATCH_QUAD = np.array([[20, 20], [140, 20], [140, 60], [20, 60]], np.float32)  # where a candidate lies in its patch
_NARROW = 1.75  # width to height below which two rows are a motorcycle's (220 x 140 against 440 x 220)


@dataclass(frozen=True, slots=True, eq=False)
class PlateDetection:
    """A plate in the picture: corners (4, 2) in pixels, score 0..1, probability of two rows and of each PlateColor."""

    quad: Floats
    score: float
    rows: float
    colour: Mapping[str, float]

    @property
    def two_rows(self) -> bool:
        return self.rows > 0.5

    @property
    def narrow(self) -> bool:
        """Whether width to height is a motorcycle's."""
        sides = np.hypot(*(np.roll(self.quad, -1, axis=0) - self.quad).T)
        return bool(sides[0] + sides[2] < _NARROW * (sides[1] + sides[3]))

    @property
    def box(self) -> Box:
        left, top, right, bottom = (float(side) for side in quads.boxes_of(self.quad[None])[0])
        return Box(left, top, right, bottom)


@dataclass(frozen=True, slots=True, eq=False)
class PlateRead:
    """What the reader says of one detection: `prob` (T, 1 + len(alphabet)), column 0 the blank."""

    prob: Floats
    alphabet: str
    colour: Mapping[str, float]
    rows: int
    narrow: bool


class PlateDetector:
    """Adapters `corner-map` and `corner-patch`."""

    def __init__(self, detector: Model, refiner: Model) -> None:
        self._map = open_session(detector, "corner-map")
        self._patch = open_session(refiner, "corner-patch")
        self._height, self._width = _fixed_size(self._map, detector)
        self._map.require((1, self._height, self._width, 3), ("score", "corners", "rows", "colour"))
        self._patch.require((None, _PATCH_HEIGHT, _PATCH_WIDTH, 3), ("corners", "score", "rows", "colour"))
        self._colours = plate_colours(detector)
        self._candidate_score = detector.card.thresholds.get("score", 0.3)
        self._cell_score = detector.card.thresholds.get("cell", 0.2)
        self._plate_score = refiner.card.thresholds.get("score", 0.5)
        self._canvas = np.full((1, self._height, self._width, 3), quads.GREY, np.uint8)
        self._filled = (self._height, self._width)

    def detect(self, image: Image) -> list[PlateDetection]:
        """Image: uint8 (H, W, 3) BGR of any size; grey, 16-bit and 4-channel pictures are converted."""
        image = normalise(image)
        height, width = image.shape[:2]
        canvas, scale = self._letterbox(image)
        score, corners, rows, colour = self._map.run(canvas)
        found = self._vote(score.reshape(-1), corners.reshape(-1, 4, 2), rows.reshape(-1), colour.reshape(-1, 5))
        candidates = [PlateDetection(one.quad / scale, one.score, one.rows, one.colour) for one in found]
        return self._refine(image, [one for one in candidates if quads.is_sound(one.quad, width, height)])

    def _letterbox(self, image: Image) -> tuple[Image, float]:
        """Scale into the canvas, top left, the rest grey; returns the canvas and the scale."""
        height, width = image.shape[:2]
        scale = min(self._width / width, self._height / height)
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        if size != self._filled:
            self._canvas[:] = quads.GREY
            self._filled = size
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        cv2.resize(image, size[::-1], dst=self._canvas[0, : size[0], : size[1]], interpolation=way)
        return self._canvas, scale

    def _vote(self, score: Floats, corners: Floats, rows: Floats, colour: Floats) -> list[PlateDetection]:
        """Cells -> candidates in letterbox pixels, best first. The corners are the mean over a plate's cells."""
        chosen = np.flatnonzero(score >= self._cell_score)
        chosen = chosen[np.argsort(-score[chosen])][:_MAX_CELLS]
        weights, cells = score[chosen], corners[chosen]
        boxes = quads.boxes_of(cells) if chosen.size else np.empty((0, 4), np.float32)
        free = np.ones(len(chosen), bool)
        found: list[PlateDetection] = []
        while len(found) < _MAX_CANDIDATES and free.any():
            best = int(np.argmax(free))
            if weights[best] < self._candidate_score:
                break
            agrees = quads.overlap(boxes[best], boxes)
            voters = free & (agrees >= _VOTE_OVERLAP)
            voters[best] = True
            share = weights[voters] / weights[voters].sum()
            quad = (share @ cells[voters].reshape(-1, 8)).reshape(4, 2)
            at = chosen[voters]
            found.append(self._detection(quad, weights[best], share @ rows[at], share @ colour[at]))
            free &= (agrees < _SUPPRESS_OVERLAP) & ~voters
        return found

    def _refine(self, image: Image, candidates: Sequence[PlateDetection]) -> list[PlateDetection]:
        """Look again at each candidate, in one batch; drop what is no plate or lies over a better one."""
        if not candidates:
            return []
        size = (_PATCH_WIDTH, _PATCH_HEIGHT)
        cuts = [quads.warp(image, candidate.quad, _PATCH_QUAD, size) for candidate in candidates]
        corners, score, rows, colour = self._patch.run(np.stack([cut for cut, _ in cuts]))
        refined = [
            self._detection(_placed(corners[index], cuts[index][1]), score[index], rows[index], colour[index])
            for index in np.argsort(-score)
            if score[index] >= self._plate_score
        ]
        kept: list[PlateDetection] = []
        height, width = image.shape[:2]
        for one in refined:
            taken = any(one.box.iou(other.box) >= _SUPPRESS_OVERLAP for other in kept)
            if not taken and quads.is_sound(one.quad, width, height):
                kept.append(one)
        return kept

    def _detection(self, quad: Floats, score: float, rows: float, colour: Floats) -> PlateDetection:
        shares = {code: float(share) for code, share in zip(self._colours, colour, strict=True)}
        return PlateDetection(np.asarray(quad, np.float32), float(score), float(rows), shares)


class PlateReader:
    """Adapter `ctc`: one batch for all plates of a picture."""

    def __init__(self, reader: Model) -> None:
        self._session = open_session(reader, "ctc")
        self._session.require((None, quads.READ_HEIGHT, quads.READ_WIDTH, 3), ("prob", "colour"))
        alphabet = reader.card.output.get("alphabet", "")
        columns = self._session.outputs["prob"][-1]
        if not isinstance(alphabet, str) or columns != len(alphabet) + 1:
            raise ModelError(f"model {reader.name}: alphabet and output differ in length", hint=VERIFY)
        self._alphabet = alphabet
        self._colours = plate_colours(reader)
        thresholds = reader.card.thresholds
        self.threshold = thresholds.get("score", 0.0)
        self.calibration = Calibration(thresholds.get("scale", 1.0), thresholds.get("offset", 0.0))

    def read(self, image: Image, detections: Sequence[PlateDetection]) -> list[PlateRead]:
        """One read for each detection. `image` is the picture the detections were made in."""
        if not detections:
            return []
        image = normalise(image)
        cuts = [quads.crop(image, quads.widen(one.quad), two_rows=one.two_rows) for one in detections]
        prob, colour = self._session.run(np.stack(cuts))
        return [
            PlateRead(
                prob[index],
                self._alphabet,
                {code: float(share) for code, share in zip(self._colours, colour[index], strict=True)},
                2 if one.two_rows else 1,
                one.narrow,
            )
            for index, one in enumerate(detections)
        ]


def open_session(model: Model, adapter: str) -> Session:
    """Load a model's verified file for the adapter that its card must name. Raises `ModelError`."""
    if model.card.adapter != adapter:
        raise ModelError(f"model {model.name} is for adapter {model.card.adapter}, not {adapter}", hint=VERIFY)
    return Session(model.read(), name=model.name)


def plate_colours(model: Model) -> tuple[str, ...]:
    """The PlateColor of each column of the model's colour output."""
    names = model.card.output.get("colours", ["blue", "yellow", "green", "white", "black"])
    if not isinstance(names, list) or any(name not in COLOURS for name in names):
        raise ModelError(f"model {model.name}: colours must be of {', '.join(COLOURS)}", hint=VERIFY)
    return tuple(COLOURS[str(name)] for name in names)


def _placed(corners: Floats, matrix: Matrix) -> Floats:
    return quads.place(corners.reshape(4, 2), matrix)


def _fixed_size(session: Session, model: Model) -> tuple[int, int]:
    size = session.shape[1:3]
    if len(size) != 2 or size[0] is None or size[1] is None:
        raise ModelError(f"model {model.name} must have an input of fixed size", hint=VERIFY)
    return size[0], size[1]
