"""What one look at one frame found: the values between recognisers and tracks.

Rule: a stranger's face has no value of its own here beyond where it is; nothing in these carries pixels or vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.clock import Stamp
from gateway.types import Box, Plate


@dataclass(frozen=True, slots=True)
class PlateSighting:
    """A plate in one frame. `quality`: how well it is seen there, sharpness x size x confidence; compares frames."""

    box: Box
    stamp: Stamp
    plate: Plate
    quality: float = 0.0


@dataclass(frozen=True, slots=True)
class FaceMatch:
    """An enrolled face, accepted by the gallery's rule. `subject` is the holder's keyed hash."""

    subject: str
    similarity: float
    threshold: float
    gallery_size: int
    assurance: str
    liveness: str


@dataclass(frozen=True, slots=True)
class FaceSighting:
    """A face in one frame. `match` is None where it is nobody enrolled, or where it did not seem to live."""

    box: Box
    stamp: Stamp
    match: FaceMatch | None
    lives: bool = True  # False only where a liveness model said so of somebody enrolled


def moved(box: Box, right: float, down: float) -> Box:
    """The same box so many pixels farther."""
    return Box(box.left + right, box.top + down, box.right + right, box.bottom + down)
