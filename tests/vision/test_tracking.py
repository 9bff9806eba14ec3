"""Boxes of successive frames become tracks."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.types import Box
from gateway.vision.tracking import Tracker


@dataclass(frozen=True)
class Thing:
    box: Box


def thing(x: float, y: float = 0.0) -> Thing:
    return Thing(Box(x, y, x + 100, y + 30))


def test_a_thing_that_moves_by_its_own_width_each_frame_stays_one_track() -> None:
    tracker: Tracker[Thing] = Tracker(grow=3.0, gap_s=1.0)
    tracks = {id(tracker.update([thing(100.0 * at)], at * 0.2)[0]) for at in range(10)}
    assert len(tracks) == 1


def test_speed_carries_a_track_over_a_missing_frame() -> None:
    tracker: Tracker[Thing] = Tracker(grow=2.0, gap_s=1.0)
    (track,) = tracker.update([thing(0)], 0.0)
    tracker.update([thing(120)], 0.2)
    tracker.update([], 0.4)
    assert tracker.update([thing(360)], 0.6) == [track]  # 240 pixels on from where it was last seen


def test_things_that_cross_keep_their_tracks_by_the_better_overlap() -> None:
    tracker: Tracker[Thing] = Tracker(grow=1.0, gap_s=1.0)
    one, other = tracker.update([thing(0), thing(200)], 0.0)
    assert tracker.update([thing(190), thing(10)], 0.2) == [other, one]


def test_a_track_ends_when_it_was_not_seen_for_the_gap_and_only_once() -> None:
    tracker: Tracker[Thing] = Tracker(grow=1.0, gap_s=1.0)
    (track,) = tracker.update([thing(0)], 0.0)
    assert tracker.ended(0.9) == []
    assert tracker.ended(1.1) == [track]
    assert tracker.ended(1.2) == []


def test_a_picture_full_of_things_cannot_fill_the_memory() -> None:
    tracker: Tracker[Thing] = Tracker(grow=1.0, gap_s=1000.0)
    for at in range(50):
        tracker.update([thing(200.0 * n, 100.0 * at) for n in range(10)], float(at))
        tracker.ended(float(at))
    assert len(tracker.update([], 51.0)) == 0
    assert len(tracker.ended(2000.0)) <= 64
