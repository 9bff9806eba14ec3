"""From the tracks of faces to observations: told when two frames of a track recognise the same holder.

Rule: strangers and faces that do not seem to live only count; the same holder again within 30 s is not told again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from gateway.types import FaceSeen
from gateway.vision.sightings import FaceMatch, FaceSighting
from gateway.vision.tracking import Track, Tracker

SAME_PASSAGE_S: Final = 30.0
FACE_FRAMES: Final = 2
_KEEP: Final = 12  # sightings of a track that vote

Count = Callable[[str], None]


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
