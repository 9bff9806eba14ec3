"""A picture in, the plates in it out: detect, read, judge by the grammar.

Rule: what comes out is at least possible; how sure it is, its confidence says. What is read surely costs one look; a
doubtful plate gets further ones, and of all looks at a plate the surest counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gateway.settings import PlateReading
from gateway.types import Plate
from gateway.vision.adapters import adapter
from gateway.vision.catalogue import Model, find
from gateway.vision.grammar import best
from gateway.vision.plates import PlateDetection, PlateFinder, PlateRead, Reads
from gateway.vision.quads import WIDEN_X, WIDEN_Y, widen

if TYPE_CHECKING:
    from gateway.types import Box, Image

Found = list[tuple[PlateDetection, Plate]]
Part = tuple[int, int, int, int]  # left, top, right and bottom in pixels
_SURE = 0.85  # a read of less is doubtful
_PART = 0.6  # side of a part that is looked at larger, of the picture's
_SMALLEST_PART = 100  # pixels
_PLATES_ACROSS, _FLAT = 7.0, 9 / 16  # width of a part around a place, in plates; its height in widths
_SAME_PLACE = 0.3  # overlap from which two detections are one plate
_ONE_ROW, _TWO_ROWS = 0.2, 0.8  # between these the number of rows is in doubt
_CLEAR = 0.4  # what the detector is so sure of is read before it is refined
_LOOKS_AGAIN = 2  # how often a doubtful plate's corners are refined once more


class Finds(Protocol):
    """Where the plates are (`PlateFinder`)."""

    def detect(self, image: Image) -> list[PlateDetection]: ...

    def propose(self, image: Image) -> list[PlateDetection]: ...

    def confirm(self, image: Image, proposed: Sequence[PlateDetection]) -> list[PlateDetection]: ...

    def look_again(self, image: Image, detections: Sequence[PlateDetection]) -> list[PlateDetection]: ...


class PlateRecogniser:
    """Finder, reader and grammar in a row. For one thread."""

    def __init__(self, finder: Finds, reader: Reads, plate: PlateReading | None = None) -> None:
        self._finder = finder
        self._reader = reader
        self._plate = plate or PlateReading()

    def recognise(self, image: Image, *, thorough: bool = False, doubts: Sequence[Box] = ()) -> Found:
        """Image: uint8 (H, W, 3) BGR of any size. Best detection first; what reads as nothing is left out.

        `thorough`: where no plate is sure, parts of the picture are looked at larger, at five times the work. It is for
        pictures that have no next frame, and now and then for one of a stream. `doubts`: where a plate should be; a
        place at which none is sure is looked at larger, too.
        """
        glances = self._plate.mode == "fast" and not thorough
        found = self._glance(image) if glances else self.read(image, self._finder.detect(image))
        if not (thorough or doubts):
            return found
        sure = [one.box for one, plate in found if plate.confidence >= _SURE]
        places = [_around(box, image) for box in doubts if not any(box.iou(other) >= _SAME_PLACE for other in sure)]
        if thorough and not sure:
            places += _corners(image)
        for left, top, right, bottom in places:
            shift = np.array([left, top], np.float32)
            close = [replace(one, quad=one.quad + shift) for one in self._finder.detect(image[top:bottom, left:right])]
            found = _surest(found + self.read(image, close))
        return found

    def _glance(self, image: Image) -> Found:
        """Read where the detector is clear about it; what lies elsewhere or is in doubt is refined and read again.

        A sure plate spares no look at the others: a parked car must not hide one that comes.
        """
        proposed = self._finder.propose(image)
        found = self.read(image, [one for one in proposed if one.score >= _CLEAR], patient=False)
        sure = [one for one, plate in found if plate.confidence >= _SURE]
        rest = [one for one in proposed if all(one.box.iou(other.box) < _SAME_PLACE for other in sure)]
        return _surest(found + self.read(image, self._finder.confirm(image, rest)))

    def read(self, image: Image, detections: Sequence[PlateDetection], *, patient: bool = True) -> Found:
        """Read and judge what is already found; `patient` looks again at what is in doubt."""
        best: dict[int, tuple[PlateDetection, Plate]] = {}
        self._look(image, [(index, way) for index, one in enumerate(detections) for way in _ways(one)], best)
        if patient:
            self._look_closer(image, detections, best)
        least = self._reader.threshold
        return [best[index] for index in sorted(best) if best[index][1].confidence >= least]

    def _look_closer(
        self, image: Image, detections: Sequence[PlateDetection], best: dict[int, tuple[PlateDetection, Plate]]
    ) -> None:
        """Cut doubtful plates tighter, then look for their corners again: each step only for what is still in doubt."""
        if not (doubtful := _doubtful(len(detections), best)):
            return
        self._look(image, [(index, way) for index in doubtful for way in _ways(_tighter(detections[index]))], best)
        places = dict(enumerate(detections))
        for _ in range(_LOOKS_AGAIN):
            if not (doubtful := _doubtful(len(detections), best)):
                return
            again = self._finder.look_again(image, [places[index] for index in doubtful])
            places.update(zip(doubtful, again, strict=True))
            ways = [(index, way) for index in doubtful for way in (*_ways(places[index]), _tighter(places[index]))]
            self._look(image, ways, best)

    def _look(
        self,
        image: Image,
        ways: Sequence[tuple[int, PlateDetection]],
        best: dict[int, tuple[PlateDetection, Plate]],
    ) -> None:
        """Read each way of looking at a detection; keep in `best` the surest plate of each."""
        reads = self._reader.read(image, [way for _, way in ways])
        for (index, way), read in zip(ways, reads, strict=True):
            plate = self.judge(read)
            if plate is not None and (index not in best or plate.confidence > best[index][1].confidence):
                best[index] = way, plate

    def judge(self, read: PlateRead) -> Plate | None:
        """The plate that one read most probably is, however unsure; None where there is nothing like a number."""
        return best(
            read.prob,
            read.alphabet,
            read.colour,
            rows=read.rows,
            narrow=read.narrow,
            nev_class=self._plate.nev_class,
            province=self._plate.province,
            calibration=self._reader.calibration,
        )


def _doubtful(count: int, best: dict[int, tuple[PlateDetection, Plate]]) -> list[int]:
    return [index for index in range(count) if index not in best or best[index][1].confidence < _SURE]


def _corners(image: Image) -> Iterator[Part]:
    """Four overlapping quarters of the picture, and a little more."""
    height, width = image.shape[:2]
    down, across = round(height * _PART), round(width * _PART)
    if min(down, across) < _SMALLEST_PART:
        return
    for top in (0, height - down):
        for left in (0, width - across):
            yield left, top, left + across, top + down


def _around(box: Box, image: Image) -> Part:
    """The picture around a place, some plates wide."""
    height, width = image.shape[:2]
    across = min(width, max(_SMALLEST_PART, round(_PLATES_ACROSS * box.width)))
    down = min(height, max(_SMALLEST_PART, round(across * _FLAT)))
    left = min(max(0, round((box.left + box.right - across) / 2)), width - across)
    top = min(max(0, round((box.top + box.bottom - down) / 2)), height - down)
    return left, top, left + across, top + down


def _surest(found: list[tuple[PlateDetection, Plate]]) -> list[tuple[PlateDetection, Plate]]:
    """Of reads that lie over one another only the surest, and that first."""
    kept: list[tuple[PlateDetection, Plate]] = []
    for one, plate in sorted(found, key=lambda pair: -pair[1].confidence):
        if all(one.box.iou(other.box) < _SAME_PLACE for other, _ in kept):
            kept.append((one, plate))
    return kept


def _tighter(detection: PlateDetection) -> PlateDetection:
    """The same plate without the air that is read around it."""
    return replace(detection, quad=widen(detection.quad, -WIDEN_X, -WIDEN_Y))


def _ways(detection: PlateDetection) -> list[PlateDetection]:
    if _ONE_ROW < detection.rows < _TWO_ROWS:
        return [replace(detection, rows=0.0), replace(detection, rows=1.0)]
    return [detection]


def _exact(model: Model) -> Model:
    """The same model, as if its card had no int8 form."""
    return replace(model, card=model.card.model_copy(update={"int8": None}))


def open_recogniser(dirs: Sequence[Path], plate: PlateReading | None = None) -> PlateRecogniser:
    """The configured models, looked for in `dirs` (`catalogue.model_dirs`), put together. Raises `ModelError`."""
    plate = plate or PlateReading()
    detector, reader = find(plate.detector, dirs), find(plate.reader, dirs)
    refiner = find(plate.refiner, dirs) if plate.refiner else None
    if not plate.int8:
        detector, refiner = _exact(detector), _exact(refiner) if refiner else None
    finder = PlateFinder(
        adapter(detector, "plate.detect")(detector, fast=plate.mode == "fast"),
        adapter(refiner, "plate.refine")(refiner) if refiner else None,
    )
    return PlateRecogniser(finder, adapter(reader, "plate.read")(reader), plate)
