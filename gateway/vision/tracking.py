"""Tracks: which detections of successive frames are the same thing.

Rule: a detection joins the track whose box, moved on at its last speed, it overlaps best; both boxes are grown first,
by as much downwards as sideways, because a plate is small and moves by more than its own size between two looks.
`unlike` forbids a match that the overlap alone would make (another number on the next car).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from math import log
from typing import Generic, Protocol, TypeVar

from gateway.types import Box
from gateway.vision.sightings import moved

_MOST_TRACKS = 64
_LEAST_OVERLAP = 0.08
_MOVED = 0.5  # a plate that grew by a tenth, or came down by its own height, has moved
_BY_GROWTH, _BY_HEIGHTS = 5.0, 0.5


class Heading(Enum):
    """Whether a thing came nearer to the camera."""

    NEARER = auto()
    FARTHER = auto()
    UNKNOWN = auto()


class Placed(Protocol):
    """Anything that was found somewhere in a frame."""

    @property
    def box(self) -> Box: ...


S = TypeVar("S", bound=Placed)


@dataclass(slots=True, eq=False)
class Track(Generic[S]):
    """One thing in view. Whoever owns the tracker bounds `sightings`; `seen` counts them all."""

    first: S
    last: S
    last_mono: float
    sightings: list[S] = field(default_factory=list)
    seen: int = 0
    speed: tuple[float, float] = (0.0, 0.0)  # pixels a second

    def box_at(self, mono: float) -> Box:
        """Where it should be by now."""
        passed = mono - self.last_mono
        return moved(self.last.box, self.speed[0] * passed, self.speed[1] * passed)

    def add(self, sighting: S, mono: float) -> None:
        passed = mono - self.last_mono
        if self.seen and passed > 0:
            (x0, y0), (x1, y1) = _centre(self.last.box), _centre(sighting.box)
            self.speed = ((x1 - x0) / passed, (y1 - y0) / passed)
        self.last, self.last_mono = sighting, mono
        self.sightings.append(sighting)
        self.seen += 1

    def absorb(self, earlier: Track[S]) -> None:
        """Take over what another track saw before: it was the same thing."""
        self.first = earlier.first
        self.sightings[:0] = earlier.sightings
        self.seen += earlier.seen


class Tracker(Generic[S]):
    """The tracks of one camera for one kind of thing. `gap_s` may change with the pace of the looks."""

    def __init__(
        self, *, grow: float, gap_s: float, unlike: Callable[[Track[S], S], bool] = lambda _track, _sighting: False
    ) -> None:
        self.gap_s, self._grow, self._unlike = gap_s, grow, unlike
        self._tracks: list[Track[S]] = []

    def update(self, sightings: Sequence[S], mono: float) -> list[Track[S]]:
        """Put each sighting of one frame on a track, an old or a new one; return these tracks in the same order."""
        pairs = [
            (overlap, number, track)
            for number, sighting in enumerate(sightings)
            for track in self._tracks
            if (overlap := self._overlap(track, sighting, mono)) >= _LEAST_OVERLAP and not self._unlike(track, sighting)
        ]
        chosen: dict[int, Track[S]] = {}
        for _, number, track in sorted(pairs, key=lambda pair: pair[0], reverse=True):
            if number not in chosen and track not in chosen.values():
                chosen[number] = track
        for number, sighting in enumerate(sightings):
            if number not in chosen:
                chosen[number] = Track(sighting, sighting, mono)
                self._tracks.append(chosen[number])
            chosen[number].add(sighting, mono)
        return [chosen[number] for number in range(len(sightings))]

    def ended(self, mono: float) -> list[Track[S]]:
        """Take out the tracks that were not seen for `gap_s`, and the oldest beyond a bound."""
        self._tracks.sort(key=lambda track: track.last_mono)
        spare = max(0, len(self._tracks) - _MOST_TRACKS)
        over = [track for n, track in enumerate(self._tracks) if n < spare or mono - track.last_mono > self.gap_s]
        self._tracks = [track for track in self._tracks if track not in over]
        return over

    def _overlap(self, track: Track[S], sighting: S, mono: float) -> float:
        still = _grown(track.last.box, self._grow).iou(_grown(sighting.box, self._grow))
        moved = _grown(track.box_at(mono), self._grow).iou(_grown(sighting.box, self._grow))
        return max(still, moved)


def _centre(box: Box) -> tuple[float, float]:
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2


def _grown(box: Box, factor: float) -> Box:
    x, y = _centre(box)
    air = max(box.width, box.height) * (factor - 1) / 2
    half_width, half_height = box.width / 2 + air, box.height / 2 + air
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def heading(first: Box, last: Box) -> Heading:
    """From where it was first and last seen: what comes nearer grows and, before a camera that looks down, sinks."""
    if min(first.width, last.width, first.height, last.height) <= 0:
        return Heading.UNKNOWN
    sunk = (_centre(last)[1] - _centre(first)[1]) / ((first.height + last.height) / 2)
    moved = _BY_GROWTH * log(last.width / first.width) + _BY_HEIGHTS * sunk
    if abs(moved) < _MOVED:
        return Heading.UNKNOWN
    return Heading.NEARER if moved > 0 else Heading.FARTHER
