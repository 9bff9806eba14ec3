"""What plate models say of a picture, and what all their adapters share.

Rule: a quad is in pixels of the picture the camera delivered, never of what a net was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import dist
from typing import TYPE_CHECKING, Protocol

from gateway.plate_rules import BLACK, BLUE, GREEN, WHITE, YELLOW
from gateway.vision import quads
from gateway.vision.catalogue import Model
from gateway.vision.grammar import Calibration
from gateway.vision.quads import Floats

if TYPE_CHECKING:
    from gateway.types import Box, Image

COLOURS = {"black": BLACK, "white": WHITE, "blue": BLUE, "yellow": YELLOW, "green": GREEN}
SAME_PLATE = 0.30  # boxes that overlap by this much are one plate
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
        tl, tr, br, bl = self.quad.tolist()
        return dist(tl, tr) + dist(br, bl) < _NARROW * (dist(tr, br) + dist(bl, tl))

    @property
    def box(self) -> Box:
        return quads.box_of(self.quad)


@dataclass(frozen=True, slots=True, eq=False)
class PlateRead:
    """What the reader says of one detection: `prob` (T, 1 + len(alphabet)), column 0 the blank."""

    prob: Floats
    alphabet: str
    colour: Mapping[str, float]
    rows: int
    narrow: bool


class Proposes(Protocol):
    """An adapter for `plate.detect`: where plates may be."""

    def propose(self, image: Image, small: Image | None = None) -> list[PlateDetection]:
        """Image: uint8 (H, W, 3) BGR of any size. Candidates, best first; none lies over a better one.

        `small` is the same picture as `letterbox.shrink` makes it for the size in the card, where that was done before.
        """


class Refines(Protocol):
    """An adapter for `plate.refine`: another look at where a plate may be."""

    threshold: float  # less than this is no plate

    def look(self, image: Image, candidates: Sequence[PlateDetection]) -> list[PlateDetection]:
        """One answer for each candidate, in their order: its corners and its score by this look."""


class Reads(Protocol):
    """An adapter for `plate.read`."""

    calibration: Calibration
    threshold: float  # a read of less confidence is no plate

    def read(self, image: Image, detections: Sequence[PlateDetection]) -> list[PlateRead]:
        """One read for each detection. `image` is the picture the detections were made in."""


def plate_colours(model: Model) -> tuple[str, ...]:
    """The PlateColor of each column of the model's colour output. Raises `ModelError`."""
    names = model.card.output.get("colours", ["blue", "yellow", "green", "white", "black"])
    if not isinstance(names, list) or any(name not in COLOURS for name in names):
        known = ", ".join(COLOURS)
        raise model.unfit(f"colours 只能取 {known}", f"colours must be of {known}")
    return tuple(COLOURS[str(name)] for name in names)


def shares(colours: Sequence[str], column: Floats) -> dict[str, float]:
    """The colour output (C,) of one plate by PlateColor."""
    return dict(zip(colours, column.tolist(), strict=True))
