"""Who passes when: the script of a film and, with it, the truth.

Rule: one `Passage` is one car that comes, and then goes, once. Between passages the street is empty for a while, so
that what is told of nobody can be told apart from what is told twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tests.replay.cars import Car
from tests.replay.street import Light, Seat

FPS = 5.0
_SHUTTER_S = 0.008  # of a gate camera in daylight
_PIXELS_A_WAY = 450.0
_OUT = 1.35  # the plate is below the lower edge


@dataclass(frozen=True, slots=True)
class Passage:
    """`ways`: (seconds since `start`, way) in order; between them the car moves evenly."""

    car: Car
    kind: str
    start: float
    ways: tuple[tuple[float, float], ...]
    drift: float

    @property
    def end(self) -> float:
        return self.start + self.ways[-1][0]

    def seat(self, at: float) -> Seat | None:
        """Where it is at a moment of the film; None before and after."""
        passed = at - self.start
        if not 0 <= passed <= self.ways[-1][0]:
            return None
        times, ways = zip(*self.ways, strict=True)
        way = float(np.interp(passed, times, ways))
        moved = abs(way - float(np.interp(passed - 0.1, times, ways))) / 0.1
        return Seat(self.car, way, self.drift, moved * _PIXELS_A_WAY * _SHUTTER_S)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A stretch of the film at one place in one light."""

    name: str
    until: float
    place: int
    light: Light


@dataclass(frozen=True, slots=True)
class Script:
    passages: Sequence[Passage]
    chapters: Sequence[Chapter]

    @property
    def seconds(self) -> float:
        return self.chapters[-1].until

    def chapter(self, at: float) -> Chapter:
        return next(chapter for chapter in self.chapters if at < chapter.until or chapter is self.chapters[-1])

    def moments(self) -> Iterator[float]:
        """When the camera takes a frame."""
        return (number / FPS for number in range(round(self.seconds * FPS)))


# What each kind of passage does, as (seconds, way); a car is slow before a gate.
_KINDS: dict[str, tuple[tuple[float, float], ...]] = {
    "drives through": ((0, -0.2), (3.4, _OUT)),
    "stops": ((0, -0.2), (2.2, 0.75), (7.5, 0.75), (9.0, _OUT)),
    "stops and goes": ((0, -0.2), (1.8, 0.45), (4.0, 0.45), (4.8, 0.8), (8.5, 0.8), (9.6, _OUT)),
    "waits long": ((0, -0.2), (2.2, 0.85), (44.0, 0.85), (45.5, _OUT)),
    "leaves": ((0, _OUT), (4.2, -0.2)),
}
_TAIL_S = 1.5  # so long after the first comes the second of two in a row
_USUAL = ("drives through", "stops", "two in a row", "leaves", "stops and goes")
_LIGHTS = (
    ("day", Light()),
    ("dusk", Light(day=0.55)),
    ("rain", Light(day=0.85, rain=0.5)),
    ("night", Light(day=0.0)),
)


def compose(cars: Sequence[Car], seconds: float, seed: int) -> Script:
    """Let the cars pass in turn for `seconds`; each car once, unless there are too few."""
    random = np.random.default_rng(seed)
    chapters = [
        Chapter(name, seconds * (number + 1) / len(_LIGHTS), number, light)
        for number, (name, light) in enumerate(_LIGHTS)
    ]
    passages: list[Passage] = []
    at, turn = 1.0, 0
    waited = seconds < 300  # the long wait belongs into long films only
    while True:
        kind = _USUAL[turn % len(_USUAL)]
        if not waited and at > seconds / 3:
            kind, waited = "waits long", True
        row = _row(kind, at, len(passages), cars, random)
        if max(one.end for one in row) > seconds - 3:
            return Script(passages, chapters)
        passages += row
        turn += 1
        empty = 12.0 if turn % 6 == 0 else 2.0
        at = max(one.end for one in row) + empty + float(random.uniform(0, 2))


def _row(kind: str, at: float, first: int, cars: Sequence[Car], random: np.random.Generator) -> list[Passage]:
    drift = float(random.uniform(-0.6, 0.6))
    if kind != "two in a row":
        return [Passage(cars[first % len(cars)], kind, at, _KINDS[kind], drift)]
    ways = _KINDS["drives through"]
    return [
        Passage(cars[(first + number) % len(cars)], kind, at + number * _TAIL_S, ways, drift) for number in range(2)
    ]
