"""A picture in, the plates in it out: detect, read, judge by the grammar.

Rule: what comes out is at least possible; how sure it is, its confidence says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gateway.types import Plate
from gateway.vision.catalogue import find
from gateway.vision.grammar import Calibration, best
from gateway.vision.plates import PlateDetection, PlateDetector, PlateRead, PlateReader

if TYPE_CHECKING:
    from gateway.types import Image

DETECTOR, REFINER, READER = "plate-detector", "plate-refiner", "plate-reader"
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

    def __init__(self, detector: Detects, reader: Reads, nev_class: str | None = None) -> None:
        self._detector = detector
        self._reader = reader
        self._nev_class = nev_class

    def recognise(self, image: Image) -> list[tuple[PlateDetection, Plate]]:
        """Image: uint8 (H, W, 3) BGR of any size. Best detection first; what reads as nothing is left out."""
        return self.read(image, self._detector.detect(image))

    def read(self, image: Image, detections: Sequence[PlateDetection]) -> list[tuple[PlateDetection, Plate]]:
        """Read and judge what is already found; where the rows are in doubt, both ways, and the surer one counts."""
        ways = [(one, way) for one in detections for way in _ways(one)]
        reads = self._reader.read(image, [way for _, way in ways])
        surest: dict[int, tuple[PlateDetection, Plate]] = {}
        for (one, way), read in zip(ways, reads, strict=True):
            plate = self.judge(read)
            before = surest.get(id(one))
            if plate is not None and (before is None or plate.confidence > before[1].confidence):
                surest[id(one)] = (way, plate)
        return list(surest.values())

    def judge(self, read: PlateRead) -> Plate | None:
        """The plate that one read most probably is; None where it is none."""
        plate = best(
            read.prob,
            read.alphabet,
            read.colour,
            rows=read.rows,
            narrow=read.narrow,
            nev_class=self._nev_class,
            calibration=self._reader.calibration,
        )
        return plate if plate is not None and plate.confidence >= self._reader.threshold else None


def _ways(detection: PlateDetection) -> list[PlateDetection]:
    if _ONE_ROW < detection.rows < _TWO_ROWS:
        return [replace(detection, rows=0.0), replace(detection, rows=1.0)]
    return [detection]


def open_recogniser(dirs: Sequence[Path], nev_class: str | None = None) -> PlateRecogniser:
    """The recogniser of the installed models (`catalogue.model_dirs`). Raises `ModelError`."""
    detector = PlateDetector(find(DETECTOR, dirs), find(REFINER, dirs))
    return PlateRecogniser(detector, PlateReader(find(READER, dirs)), nev_class)
