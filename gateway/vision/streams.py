"""From the tracks of plates to passages: a car that crosses a camera's view becomes one observation.

Rule: told as soon as three frames agree (five while the plate is small) and their vote is above the threshold; as a
candidate when a car has stood there for `WAITS_S` without that, since somebody must look; else, some seconds after the
track has ended, the vote of at least two frames as a candidate, or of one frame that is above the threshold by itself.
The same number again within `rearm_s` of when it was last in view, or while it stays there, is the same passage. A
candidate that is nearly a number told as certain is that car, misread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.plate_rules import apart
from gateway.types import Box, Direction, Plate, PlateSeen, Shot
from gateway.vision.sightings import PlateSighting
from gateway.vision.tracking import Heading, Track, Tracker, heading

REARM_S: Final = 30.0
AGREEING: Final = 3
AGREEING_FAR: Final = 5
FAR: Final = 64.0  # pixels: a narrower plate may be misread in the same way by several frames
HOPELESS: Final = 0.3  # a vote below this is no number at all
WAITS_S: Final = 8.0
HOLD_S: Final = 3.0  # a candidate waits so long for a certain read of the same car: it opens nothing, so it can
_KEEP: Final = 12  # sightings of a track that vote
_DOUBTS: Final = 2  # places that may be looked at once more in one frame
_NUMBERS: Final = 4  # numbers of a track whose best frame is kept
_CLEAR: Final = 0.5  # from here a read says that two cars differ
_MISREAD: Final = 2  # characters by which two reads of one plate may differ
_SAME_PLACE: Final = 0.3  # overlap from which two boxes are of one car that stands
_SMALLER: Final = 0.85  # a plate that shrinks so much from one look to the next is another one, farther away

Vote = Callable[[Sequence[Plate]], Plate | None]
Count = Callable[[str], None]
Shoot = Callable[[PlateSighting], tuple[Shot, ...]]


@dataclass(slots=True)
class _Best:
    """The frame of a track in which a number was seen best, and the pictures taken of it."""

    sighting: PlateSighting
    shots: tuple[Shot, ...]


@dataclass(slots=True)
class _Car:
    """What is known of a track beyond its sightings."""

    told: str | None = None
    best: dict[str, _Best] = field(default_factory=dict)


@dataclass(slots=True)
class _Told:
    mono: float  # last in view
    certain: bool
    confidence: float = 0.0
    box: Box | None = None  # where it was last


@dataclass(slots=True)
class _Held:
    """A candidate that waits."""

    due: float
    seen: PlateSeen
    plate: Plate


class PlateStream:
    """The plates before one camera. `approach`: which way those go that come nearer."""

    def __init__(
        self,
        point: str,
        device: str,
        *,
        threshold: float,
        gap_s: float,
        vote: Vote,
        count: Count = lambda _what: None,
        rearm_s: float = REARM_S,
        approach: Direction | None = None,
    ) -> None:
        self._point, self._device, self._threshold = point, device, threshold
        self._vote, self._count, self._rearm_s, self._approach = vote, count, rearm_s, approach
        self.tracker: Tracker[PlateSighting] = Tracker(grow=3.5, gap_s=gap_s, unlike=_another_car)
        self._cars: dict[Track[PlateSighting], _Car] = {}
        self._told: dict[str, _Told] = {}
        self._held: list[_Held] = []

    def see(
        self, sightings: Sequence[PlateSighting], mono: float, shoot: Shoot = lambda _sighting: ()
    ) -> list[PlateSeen]:
        """Take the sightings of one frame (or none) at a moment; return what is certain by now or is over.

        `shoot` takes the pictures of a sighting in this frame; it is asked only where it is the best so far.
        """
        seen = []
        for track in self.tracker.update(sightings, mono):
            car = self._cars.setdefault(track, _Car())
            _note_best(car, track.last, shoot)
            _trim(track)
            seen += self._judge(track, car, mono)
        for track in self.tracker.ended(mono):
            seen += self._close(track, self._cars.pop(track), mono)
        self._told = {number: told for number, told in self._told.items() if mono - told.mono <= self._rearm_s}
        return [*seen, *self._overdue(mono)]

    def doubts(self, mono: float) -> list[Box]:
        """Where the newest plates that are not told yet should be at a moment, until somebody is asked to look."""
        tracks = [track for track, car in self._cars.items() if car.told is None]
        young = [track for track in tracks if mono - track.first.stamp.mono < WAITS_S]
        return [track.box_at(mono) for track in young[-_DOUBTS:]]

    def _judge(self, track: Track[PlateSighting], car: _Car, mono: float) -> list[PlateSeen]:
        if car.told is not None:
            if car.told in self._told:
                self._told[car.told].mono, self._told[car.told].box = mono, track.last.box
            return []
        plates = _plates(track)
        voted = self._vote(plates) if len(plates) >= AGREEING else None
        if voted is None:
            return []
        agreeing = sum(plate.number == voted.number for plate in plates)
        if voted.confidence < self._threshold or agreeing < (AGREEING_FAR if track.last.box.width < FAR else AGREEING):
            waits = voted.confidence >= HOPELESS and mono - track.first.stamp.mono >= WAITS_S
            return self._doubt(self._seen(track, car, voted), voted, mono) if waits else []
        car.told = voted.number
        return self._tell(self._seen(track, car, voted), voted, mono)

    def _close(self, track: Track[PlateSighting], car: _Car, mono: float) -> list[PlateSeen]:
        if car.told is not None:
            return []
        plates = _plates(track)
        voted = self._vote(plates)
        if voted is None or (len(plates) == 1 and voted.confidence < self._threshold) or voted.confidence < HOPELESS:
            self._count("plates_unreadable")
            return []
        if self._passed_on(track, car, voted):
            self._count("plates_repeated")
            return []
        seen = self._seen(track, car, voted)
        if voted.confidence >= self._threshold:
            return self._tell(seen, voted, mono)
        self._hold(seen, voted, mono)
        return []

    def _passed_on(self, track: Track[PlateSighting], car: _Car, plate: Plate) -> bool:
        """Give what an ended track saw to one in view that goes on with its car, so that they vote together.

        The same number is the same car. Nearly the same one is, too, where it was read a few times only.
        """
        most = _MISREAD if track.seen < AGREEING else 0
        for other, its in self._cars.items():
            if its.told is not None and apart(its.told, plate.number) <= most:
                return True
            if its.told is None and any(apart(number, plate.number) <= most for number in its.best):
                other.absorb(track)
                for number, best in car.best.items():
                    if number not in its.best or its.best[number].sighting.quality < best.sighting.quality:
                        its.best[number] = best
                _trim(other)
                return True
        return False

    def _tell(self, seen: PlateSeen, plate: Plate, mono: float) -> list[PlateSeen]:
        """Say what is certain, unless it was said before; what was doubtful about the same car is then settled."""
        if plate.number in self._told and self._told[plate.number].certain:
            self._told[plate.number].mono = mono
            self._count("plates_repeated")
            return []
        if self._is_misread(seen, plate, mono):
            self._count("plates_repeated")
            return []
        self._told[plate.number] = _Told(mono, True, plate.confidence, seen.box)
        doubtful = [held for held in self._held if apart(held.plate.number, plate.number) <= _MISREAD]
        for held in doubtful:
            self._held.remove(held)
            self._count("plates_repeated")
        return [seen]

    def _is_misread(self, seen: PlateSeen, plate: Plate, mono: float) -> bool:
        """Whether a car told a moment ago, and surer, is the one that this was read of.

        It stands there under nearly this number, or its number is this one with another province, the character that is
        misread most, which few looks said.
        """
        for number, told in self._told.items():
            if not told.certain or mono - told.mono > HOLD_S or plate.confidence >= told.confidence:
                continue
            stands = told.box is not None and seen.box is not None and told.box.iou(seen.box) >= _SAME_PLACE
            province = number[1:] == plate.number[1:] and seen.reads < AGREEING
            if province or (stands and apart(number, plate.number) <= _MISREAD):
                return True
        return False

    def _doubt(self, seen: PlateSeen, plate: Plate, mono: float) -> list[PlateSeen]:
        """Say once of a car that stands there that it cannot be read surely."""
        if self._is_known(plate, mono):
            return []
        self._told[plate.number] = _Told(mono, certain=False)
        return [seen]

    def _is_known(self, plate: Plate, mono: float) -> bool:
        """Whether this number, or nearly this one, was told before; it is then still in view."""
        near = [told for number, told in self._told.items() if apart(number, plate.number) <= _MISREAD]
        for told in near:
            told.mono = mono
        return bool(near)

    def _hold(self, seen: PlateSeen, plate: Plate, mono: float) -> None:
        """Let a candidate wait; of two of one car the surer stays."""
        if self._is_known(plate, mono):
            self._count("plates_repeated")
            return
        for held in self._held:
            if apart(held.plate.number, plate.number) <= _MISREAD:
                if plate.confidence > held.plate.confidence:
                    held.seen, held.plate = seen, plate
                held.due = mono + HOLD_S
                self._count("plates_repeated")
                return
        self._held.append(_Held(mono + HOLD_S, seen, plate))

    def _overdue(self, mono: float) -> list[PlateSeen]:
        """The candidates that nothing made certain."""
        due = [held for held in self._held if mono >= held.due]
        for held in due:
            self._held.remove(held)
            self._told[held.plate.number] = _Told(mono, certain=False)
        return [held.seen for held in due]

    def _seen(self, track: Track[PlateSighting], car: _Car, plate: Plate) -> PlateSeen:
        best = car.best.get(plate.number) or max(car.best.values(), key=lambda best: best.sighting.quality)
        return PlateSeen(
            point=self._point,
            device=self._device,
            stamp=best.sighting.stamp,
            plate=plate,
            reads=track.seen,
            box=best.sighting.box,
            first_seen=track.first.stamp,
            last_seen=track.last.stamp,
            direction=_direction(heading(track.first.box, track.last.box), self._approach),
            shots=best.shots,
        )


def _note_best(car: _Car, sighting: PlateSighting, shoot: Shoot) -> None:
    """Keep the frame in which each number was seen best; a track that is told needs none any more."""
    number = sighting.plate.number
    if car.told is not None:
        car.best.clear()
        return
    best = car.best.get(number)
    if best is not None and best.sighting.quality >= sighting.quality:
        return
    car.best[number] = _Best(sighting, shoot(sighting))
    if len(car.best) > _NUMBERS:
        del car.best[min(car.best, key=lambda one: car.best[one].sighting.quality)]


def _direction(towards: Heading, approach: Direction | None) -> Direction | None:
    """Which way a car went, where its track and the camera's setting can say so."""
    if towards is Heading.UNKNOWN or approach is None:
        return None
    leaving = Direction.OUT if approach is Direction.IN else Direction.IN
    return approach if towards is Heading.NEARER else leaving


def _plates(track: Track[PlateSighting]) -> list[Plate]:
    return [sighting.plate for sighting in track.sightings]


def _trim(track: Track[PlateSighting]) -> None:
    """Keep the sightings that were read best, in the order of time."""
    while len(track.sightings) > _KEEP:
        track.sightings.remove(min(track.sightings, key=_confidence))


def _confidence(sighting: PlateSighting) -> float:
    return sighting.plate.confidence


def _another_car(track: Track[PlateSighting], sighting: PlateSighting) -> bool:
    """Two cars nose to tail: the next plate comes where the last one was, with another number.

    Numbers of one fleet may differ in one character; then the next one must also be farther away than the last was.
    """
    best = max(track.sightings, key=_confidence)
    if min(_confidence(best), _confidence(sighting)) < _CLEAR:
        return False
    differ = apart(best.plate.number, sighting.plate.number)
    return differ > _MISREAD or (differ > 0 and sighting.box.width < _SMALLER * track.last.box.width)
