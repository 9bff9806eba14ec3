"""One observation per person: who stays, who is taken for somebody else, and who is nobody."""

from __future__ import annotations

from collections import Counter

from gateway.clock import ClockTrust, Stamp, now
from gateway.types import Box, FaceSeen
from gateway.vision.face_stream import FaceStream
from gateway.vision.sightings import FaceMatch, FaceSighting

FPS = 5.0


def stamp(mono: float) -> Stamp:
    return Stamp(now().time, mono, ClockTrust.SYNCED)


def match(subject: str, similarity: float = 0.6) -> FaceMatch:
    return FaceMatch(subject, similarity, 0.55, 10, "low", "none")


class Door:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.stream = FaceStream("door", "cam", gap_s=1.2, count=lambda what: self.counts.update([what]))
        self.mono = 100.0
        self.seen: list[FaceSeen] = []

    def frame(self, *faces: tuple[float, FaceMatch | None]) -> None:
        self.mono += 1 / FPS
        sightings = [FaceSighting(Box(x, 100, x + 80, 190), stamp(self.mono), who) for x, who in faces]
        self.seen += self.stream.see(sightings, self.mono)


def test_a_holder_is_told_once_and_only_when_two_frames_agree() -> None:
    door = Door()
    door.frame((100, match("h:1")))
    assert door.seen == []
    door.frame((110, match("h:1", 0.7)))
    for at in range(20):
        door.frame((110 + at, match("h:1")))
    assert [(one.subject, one.reads, one.similarity) for one in door.seen] == [("h:1", 2, 0.7)]


def test_a_face_taken_for_two_people_in_turn_is_nobody() -> None:
    door = Door()
    for at in range(10):
        door.frame((100 + at, match("h:1" if at % 2 else "h:2")))
    assert door.seen == []


def test_two_people_side_by_side_are_two() -> None:
    door = Door()
    for at in range(4):
        door.frame((100 + at, match("h:1")), (400 + at, match("h:2")))
    assert sorted(one.subject for one in door.seen) == ["h:1", "h:2"]


def test_a_stranger_is_only_counted_and_once() -> None:
    door = Door()
    for at in range(10):
        door.frame((100 + at, None))
    for _ in range(10):
        door.frame()
    assert door.seen == []
    assert door.counts == {"faces_unknown": 1}


def test_a_face_that_seldom_seems_to_live_is_nobody_and_counted() -> None:
    door = Door()
    for at in range(9):
        door.mono += 1 / FPS
        lives = at % 3 == 2
        face = FaceSighting(Box(100 + at, 100, 180, 190), stamp(door.mono), match("h:1") if lives else None, lives)
        door.seen += door.stream.see([face], door.mono)
    for _ in range(10):
        door.frame()
    assert door.seen == []
    assert door.counts == {}
    for at in range(4):
        door.mono += 1 / FPS
        face = FaceSighting(Box(400 + at, 100, 480, 190), stamp(door.mono), None, lives=False)
        door.seen += door.stream.see([face], door.mono)
    for _ in range(10):
        door.frame()
    assert door.counts == {"faces_not_live": 1}
