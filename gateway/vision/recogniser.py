"""A picture in, the plates in it out: detect, read, judge by the grammar.

Rule: what comes out is at least possible; how sure it is, its confidence says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gateway.types import Plate
from gateway.vision.catalogue import find
from gateway.vision.grammar import Calibration, best
from gateway.vision.plates import PlateDetection, PlateDetector, PlateRead, PlateReader
from gateway.vision.quads import WIDEN_X, WIDEN_Y, widen

if TYPE_CHECKING:
    from gateway.types import Image

DETECTOR, REFINER, READER = "plate-detector", "plate-refiner", "plate-reader"
_SURE = 0.85  # a read of less is tried again with the plate cut tighter: +8 % of scenes read surely
_PART = 0.6  # side of a part that is looked at larger, of the picture's
_SMALLEST_PART = 100  # pixels
_SAME_PLACE = 0.3  # overlap from which two detections are one plate
_ONE_ROW, _TWO_ROWS = 0.2, 0.8  # between these the number of rows is in doubt


class Detects(Protocol):
    """Finds plates."""

    def detect(self, image: Image) -> list[PlateDetection]: ...


class Reads(Protocol):
    """Reads what was found, one read for each detection."""

    calibration: Calibration
    threshold: float  # a read of less confidence is no plate

    def read(self, image: Image, detections: Sequence[PlateDetection]) -> list[PlateRead]: ...


class PlateRecogniser:
    """Detector, reader and grammar in a row. For one thread."""

    def __init__(
        self, detector: Detects, reader: Reads, nev_class: str | None = None, province: str | None = None
    ) -> None:
        self._detector = detector
        self._reader = reader
        self._nev_class = nev_class
        self._province = province

    def recognise(self, image: Image, *, thorough: bool = False) -> list[tuple[PlateDetection, Plate]]:
        """Image: uint8 (H, W, 3) BGR of any size. Best detection first; what reads as nothing is left out.

        `thorough` is for pictures that have no next frame: where no plate is sure, parts of the picture are looked at
        larger (five times the work, on such pictures only).
        """
        found = self.read(image, self._detector.detect(image))
        if not thorough or any(plate.confidence >= _SURE for _, plate in found):
            return found
        for left, top, part in _parts(image):
            shift = np.array([left, top], np.float32)
            close = [replace(one, quad=one.quad + shift) for one in self._detector.detect(part)]
            found = _surest(found + self.read(image, close))
        return found

    def read(self, image: Image, detections: Sequence[PlateDetection]) -> list[tuple[PlateDetection, Plate]]:
        """Read and judge what is already found. Where the rows or the read are in doubt, a second look is taken."""
        best: dict[int, Plate] = {}
        self._look(image, [(index, way) for index, one in enumerate(detections) for way in _ways(one)], best)
        doubtful = [index for index, plate in best.items() if plate.confidence < _SURE]
        self._look(image, [(index, way) for index in doubtful for way in _ways(_tighter(detections[index]))], best)
        least = self._reader.threshold
        return [(detections[index], plate) for index, plate in sorted(best.items()) if plate.confidence >= least]

    def _look(self, image: Image, ways: Sequence[tuple[int, PlateDetection]], best: dict[int, Plate]) -> None:
        """Read each way of looking at a detection; keep in `best` the surest plate of each."""
        reads = self._reader.read(image, [way for _, way in ways])
        for (index, _), read in zip(ways, reads, strict=True):
            plate = self.judge(read)
            if plate is not None and (index not in best or plate.confidence > best[index].confidence):
                best[index] = plate

    def judge(self, read: PlateRead) -> Plate | None:
        """The plate that one read most probably is, however unsure; None where there is nothing like a number."""
        return best(
            read.prob,
            read.alphabet,
            read.colour,
            rows=read.rows,
            narrow=read.narrow,
            nev_class=self._nev_class,
            province=self._province,
            calibration=self._reader.calibration,
        )


def _parts(image: Image) -> Iterator[tuple[int, int, Image]]:
    """Four overlapping corners of the picture: left, top and pixels of each."""
    height, width = image.shape[:2]
    down, across = round(height * _PART), round(width * _PART)
    if min(down, across) < _SMALLEST_PART:
        return
    for top in (0, height - down):
        for left in (0, width - across):
            yield left, top, image[top : top + down, left : left + across]


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


def open_recogniser(dirs: Sequence[Path], nev_class: str | None = None, province: str | None = None) -> PlateRecogniser:
    """The recogniser of the installed models (`catalogue.model_dirs`). Raises `ModelError`."""
    detector = PlateDetector(find(DETECTOR, dirs), find(REFINER, dirs))
    return PlateRecogniser(detector, PlateReader(find(READER, dirs)), nev_class, province)
