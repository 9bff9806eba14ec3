"""Where the plates of a picture are: a detector proposes, a refiner looks again at each candidate and decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.vision import quads
from gateway.vision.images import normalise
from gateway.vision.plates.values import SAME_PLATE, PlateDetection, Proposes, Refines

if TYPE_CHECKING:
    from gateway.types import Image


class PlateFinder:
    """A detector with or without a refiner behind it. For one thread."""

    def __init__(self, detector: Proposes, refiner: Refines | None = None) -> None:
        self._detector, self._refiner = detector, refiner

    def detect(self, image: Image, small: Image | None = None) -> list[PlateDetection]:
        """Image: uint8 (H, W, 3) BGR of any size; `small`: see `Proposes`. The plates in it, best first."""
        return self.confirm(image, self.propose(image, small))

    def propose(self, image: Image, small: Image | None = None) -> list[PlateDetection]:
        """Where plates may be, by the detector alone."""
        return self._detector.propose(normalise(image), small)

    def confirm(self, image: Image, proposed: Sequence[PlateDetection]) -> list[PlateDetection]:
        """Those of the proposed that the refiner holds for plates, where it sees them, best first."""
        if self._refiner is None:
            return list(proposed)
        image = normalise(image)
        height, width = image.shape[:2]
        kept: list[PlateDetection] = []
        for one in sorted(self._refiner.look(image, proposed), key=lambda one: -one.score):
            if not one.score >= self._refiner.threshold:
                break
            taken = any(one.box.iou(other.box) >= SAME_PLATE for other in kept)
            if not taken and quads.is_sound(one.quad, width, height):
                kept.append(one)
        return kept

    def look_again(self, image: Image, detections: Sequence[PlateDetection]) -> list[PlateDetection]:
        """The same plates with their corners by another look, in the same order; what it spoils stays as it was."""
        if self._refiner is None:
            return list(detections)
        image = normalise(image)
        height, width = image.shape[:2]
        again = self._refiner.look(image, detections)
        return [
            new if quads.is_sound(new.quad, width, height) else old for old, new in zip(detections, again, strict=True)
        ]
