"""From tracks to passages: a car or a face that crosses a camera's view becomes one observation.

Rule for plates: told as soon as three frames agree and their vote is above the threshold; else, when the track ends,
the vote of at least two frames as a candidate; a single frame only if it is above the threshold by itself. The same
number again within 30 s, or while it stays in view, is the same passage and is not told again, unless it was uncertain
and is certain now. Rule for faces: told when two frames of a track recognise the same holder; strangers and faces that
do not seem to live only count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.types import FaceSeen, Plate, PlateSeen
from gateway.vision.sightings import FaceMatch, FaceSighting, PlateSighting
from gateway.vision.tracking import Track, Tracker

SAME_PASSAGE_S: Final = 30.0
AGREEING: Final = 3
FACE_FRAMES: Final = 2
HOPELESS: Final = 0.1  # a vote below this is no number at all
_KEEP: Final = 12  # sightings of a track that vote
_CLEAR: Final = 0.5  # from here a read says that two cars differ
_MISREAD: Final = 2  # characters by which two reads of one plate may differ

Vote = Callable[[Sequence[Plate]], Plate | None]
Count = Callable[[str], None]


@dataclass(slots=True)
class _Told:
    mono: float  # last seen in view
    certain: bool


class PlateStream:
    """The plates before one camera."""

    def __init__(
        self, point: str, device: str, *, threshold: float, gap_s: float, vote: Vote, count: Count = lambda _what: None
    ) -> None:
        self._point, self._device, self._threshold = point, device, threshold
        self._vote, self._count = vote, count
        self.tracker: Tracker[PlateSighting] = Tracker(grow=3.0, gap_s=gap_s, unlike=_another_car)
        self._told: dict[str, _Told] = {}
        self._numbers: dict[int, str] = {}  # id(track) -> what was told of it

    def see(self, sightings: Sequence[PlateSighting], mono: float) -> list[PlateSeen]:
        """Take the sightings of one frame (or none) at a moment; return what is certain by now or has ended."""
        seen = []
        for track in self.tracker.update(sightings, mono):
            _trim(track)
            seen += self._judge(track, mono)
        for track in self.tracker.ended(mono):
            seen += self._close(track, mono)
        self._told = {number: told for number, told in self._told.items() if mono - told.mono <= SAME_PASSAGE_S}
        return seen

    def _judge(self, track: Track[PlateSighting], mono: float) -> list[PlateSeen]:
        number = self._numbers.get(id(track))
        if number is not None:
            if number in self._told:
                self._told[number].mono = mono
            return []
        plates = _plates(track)
        voted = self._vote(plates) if len(plates) >= AGREEING else None
        if voted is None or voted.confidence < self._threshold:
            return []
        if sum(plate.number == voted.number for plate in plates) < AGREEING:
            return []
        self._numbers[id(track)] = voted.number
        return self._tell(track, voted, mono)

    def _close(self, track: Track[PlateSighting], mono: float) -> list[PlateSeen]:
        if self._numbers.pop(id(track), None) is not None:
            return []
        plates = _plates(track)
        voted = self._vote(plates)
        if voted is None or (len(plates) == 1 and voted.confidence < self._threshold) or voted.confidence < HOPELESS:
            self._count("plates_unreadable")
            return []
        return self._tell(track, voted, mono)

    def _tell(self, track: Track[PlateSighting], plate: Plate, mono: float) -> list[PlateSeen]:
        certain = plate.confidence >= self._threshold
        for number, told in self._told.items():
            same = number == plate.number or (not certain and _apart(number, plate.number) <= _MISREAD)
            if same and (told.certain or not certain):
                told.mono = mono
                self._count("plates_repeated")
                return []
        self._told[plate.number] = _Told(mono, certain)
        best = [sighting for sighting in track.sightings if sighting.plate.number == plate.number]
        shown = best[-1] if best else track.last
        return [
            PlateSeen(
                point=self._point,
                device=self._device,
                stamp=shown.stamp,
                plate=plate,
                reads=track.seen,
                box=shown.box,
                first_seen=track.first.stamp,
            )
        ]


class FaceStream:
    """The faces before one camera."""

    def __init__(self, point: str, device: str, *, gap_s: float, count: Count = lambda _what: None) -> None:
        self._point, self._device, self._count = point, device, count
        self.tracker: Tracker[FaceSighting] = Tracker(grow=2.0, gap_s=gap_s)
        self._told: dict[str, float] = {}  # subject -> last seen

    def see(self, sightings: Sequence[FaceSighting], mono: float) -> list[FaceSeen]:
        """Take the sightings of one frame (or none) at a moment; return who is certain by now."""
        self._told = {subject: last for subject, last in self._told.items() if mono - last <= SAME_PASSAGE_S}
        seen = []
        for track in self.tracker.update(sightings, mono):
            del track.sightings[:-_KEEP]
            seen += self._judge(track, mono)
        for track in self.tracker.ended(mono):
            if not any(sighting.match for sighting in track.sightings):
                lived = all(sighting.lives for sighting in track.sightings)
                self._count("faces_unknown" if lived else "faces_not_live")
        return seen

    def _judge(self, track: Track[FaceSighting], mono: float) -> list[FaceSeen]:
        matches = [sighting.match for sighting in track.sightings if sighting.match is not None]
        if track.last.match is None or not matches:
            return []
        subject, frames = Counter(match.subject for match in matches).most_common(1)[0]
        against = len(matches) - frames  # frames that took the face for somebody else
        lifeless = sum(not sighting.lives for sighting in track.sightings)
        if frames < FACE_FRAMES + 3 * against or frames <= lifeless or track.last.match.subject != subject:
            return []
        told, self._told[subject] = subject in self._told, mono
        if told:
            return []
        best = max((match for match in matches if match.subject == subject), key=lambda match: match.similarity)
        return [face_seen(self._point, self._device, track.last, best, frames)]


def face_seen(point: str, device: str, sighting: FaceSighting, match: FaceMatch, reads: int) -> FaceSeen:
    """The observation of a recognised face."""
    return FaceSeen(
        point=point,
        device=device,
        stamp=sighting.stamp,
        subject=match.subject,
        similarity=match.similarity,
        threshold=match.threshold,
        gallery_size=match.gallery_size,
        assurance=match.assurance,
        liveness=match.liveness,
        reads=reads,
    )


def _plates(track: Track[PlateSighting]) -> list[Plate]:
    return [sighting.plate for sighting in track.sightings]


def _trim(track: Track[PlateSighting]) -> None:
    """Keep the sightings that were read best, in the order of time."""
    while len(track.sightings) > _KEEP:
        track.sightings.remove(min(track.sightings, key=_confidence))


def _confidence(sighting: PlateSighting) -> float:
    return sighting.plate.confidence


def _another_car(track: Track[PlateSighting], sighting: PlateSighting) -> bool:
    """Two cars nose to tail: the next plate comes where the last one was, with another number."""
    best = max(track.sightings, key=_confidence)
    clear = min(_confidence(best), _confidence(sighting)) >= _CLEAR
    return clear and _apart(best.plate.number, sighting.plate.number) > _MISREAD


def _apart(one: str, other: str) -> int:
    """Edit distance: how many characters must change, go or come."""
    row = list(range(len(other) + 1))
    for at, character in enumerate(one, 1):
        before, row[0] = row[0], at
        for column, opposite in enumerate(other, 1):
            before, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, before + (character != opposite)),
            )
    return row[-1]
