"""Every row is passed, none before its own answer, whatever the order of answers, cuts and crashes."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.journal import Cursor, Journal
from gateway.settings import Journal as Policy
from gateway.types import EventClass
from gateway.uplink.lanes import _MOST_STRETCHES, Lanes, Parcel, _compact
from tests.facts import BOOT, event, stamp

ALL = frozenset(EventClass)
NAMES = ["access.granted", "vehicle.passed", "alarm.tamper", "device.online"]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


def drain(lanes: Lanes, window: int = 1000) -> list[Parcel]:
    parcels = []
    while parcel := lanes.next(window, window, lambda: True):
        parcels.append(parcel)
    return parcels


def test_alarms_then_live_then_backlog(journal: Journal) -> None:
    lanes = Lanes(journal, "city", ALL, ack_required=False)
    journal.append([event(1), event(2, "alarm.tamper")], BOOT)
    lanes.begin()
    journal.append([event(3), event(4, "alarm.tamper")], BOOT)
    found = [(parcel.row.seq, parcel.lane, parcel.replay) for parcel in drain(lanes)]
    assert found == [(2, "alarm", True), (4, "alarm", False), (3, "live", False), (1, "backlog", True)]
    journal.close()


def test_places_are_left_for_what_is_more_urgent(journal: Journal) -> None:
    lanes = Lanes(journal, "city", ALL, ack_required=False)
    journal.append([event(1)], BOOT)
    lanes.begin()
    assert lanes.next(5, 20, lambda: True) is None
    assert lanes.next(6, 20, lambda: False) is None
    journal.append([event(2), event(3, "alarm.tamper")], BOOT)
    assert lanes.next(0, 20, lambda: True) is None
    assert [lanes.next(1, 20, lambda: True).row.seq, lanes.next(1, 20, lambda: True)] == [3, None]  # type: ignore[union-attr]
    journal.close()


def test_only_the_own_answer_passes_a_row_and_only_from_the_front(journal: Journal) -> None:
    lanes = Lanes(journal, "city", ALL, ack_required=False)
    lanes.begin()
    journal.append([event(n) for n in range(5)], BOOT)
    drain(lanes)
    for seq in (2, 3, 5):
        lanes.answered("live", seq)
    lanes.save()
    assert Cursor("live", 0, None) in journal.cursors("city")
    lanes.answered("live", 1)
    lanes.save()
    assert Cursor("live", 3, None) in journal.cursors("city")
    journal.close()


def test_a_new_connection_sends_again_what_has_no_answer(journal: Journal) -> None:
    lanes = Lanes(journal, "city", ALL, ack_required=False)
    lanes.begin()
    journal.append([event(n) for n in range(6)], BOOT)
    drain(lanes)
    for seq in (1, 2, 4):
        lanes.answered("live", seq)
    lanes.begin()
    assert [(parcel.row.seq, parcel.lane, parcel.replay) for parcel in drain(lanes)] == [
        (seq, "backlog", True) for seq in (3, 4, 5, 6)
    ]
    journal.close()


def test_a_dead_letter_does_not_hold_up_its_lane_and_is_tried_at_the_next_connect(journal: Journal) -> None:
    lanes = Lanes(journal, "city", ALL, ack_required=False)
    lanes.begin()
    journal.append([event(1), event(2)], BOOT)
    drain(lanes)
    lanes.refused("live", 1, "not authorised")
    lanes.answered("live", 2)
    lanes.save()
    assert journal.pending("city", ALL).count == 0
    assert journal.count_dead("city") == 1
    lanes.begin()
    (parcel,) = drain(lanes)
    assert (parcel.row.seq, parcel.lane, parcel.replay) == (1, "dead", True)
    lanes.answered("dead", 1)
    lanes.save()
    assert journal.count_dead("city") == 0
    journal.close()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sets(st.sampled_from(sorted(EventClass)), min_size=1))
def test_any_course_of_events_passes_every_row(seed: int, classes: set[EventClass]) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        lanes = Lanes(journal, "city", classes, ack_required=False)
        lanes.begin()
        flying: list[Parcel] = []
        passed: set[int] = set()
        for _ in range(120):
            steps = ["append", "send", "send", "answer", "answer", "cut", "crash", "save", "refuse", "resend"]
            match chance.choice(steps):
                case "append":
                    journal.append([event(n, chance.choice(NAMES)) for n in range(chance.randint(1, 5))], BOOT)
                case "send":
                    parcel = lanes.next(20 - len(flying), 20, lambda: chance.random() < 0.8)
                    flying += [parcel] if parcel else []
                case "answer" if flying:
                    parcel = flying.pop(chance.randrange(len(flying)))
                    lanes.answered(parcel.lane, parcel.row.seq)
                    passed.add(parcel.row.seq)
                case "refuse" if flying:
                    parcel = flying.pop(0)
                    lanes.refused(parcel.lane, parcel.row.seq, "no")
                case "cut":
                    flying.clear()
                    lanes.begin()
                case "crash":
                    flying.clear()
                    lanes = Lanes(journal, "city", classes, ack_required=False)
                    lanes.begin()
                case "save":
                    lanes.save()
                case "resend":
                    lanes.resend(*sorted((chance.randint(0, 50), chance.randint(0, 50))))
        lanes.save()
        lanes.begin()
        for parcel in drain(lanes):
            lanes.answered(parcel.lane, parcel.row.seq)
            passed.add(parcel.row.seq)
        lanes.save()
        assert passed == {row.seq for row in journal.read_after(0, classes, 10_000)}
        assert journal.pending("city", classes).count == journal.count_dead("city") == 0
        journal.close()


@pytest.mark.parametrize("ack_required", [False, True])
def test_what_is_asked_for_again_comes_again_across_cuts_and_restarts(journal: Journal, ack_required: bool) -> None:
    lanes = Lanes(journal, "city", ALL, ack_required=ack_required)
    lanes.begin()
    journal.append([event(n, "alarm.tamper" if n == 3 else "access.granted") for n in range(9)], BOOT)
    for parcel in drain(lanes):
        lanes.answered(parcel.lane, parcel.row.seq)
    lanes.stored(9)
    lanes.resend(1, 5)
    lanes.resend(4, 700)  # no further than the journal goes
    first = lanes.next(20, 20, lambda: True)
    assert first is not None
    assert (first.row.seq, first.lane, first.replay) == (2, "resend", True)
    lanes.answered("resend", 2)
    lanes.save()
    again = Lanes(journal, "city", ALL, ack_required=ack_required)
    again.begin()
    for _ in range(2):  # unanswered, so the next connection brings them again
        assert [(parcel.row.seq, parcel.replay) for parcel in drain(again)] == [(seq, True) for seq in range(3, 10)]
        again.begin()
    for parcel in drain(again):
        again.answered(parcel.lane, parcel.row.seq)
    again.save()
    assert journal.pending("city", ALL).count == 0
    assert not again.awaits_watermark
    journal.append([event(10)], BOOT)
    (live,) = drain(again)
    assert (live.lane, live.replay) == ("live", False)
    journal.close()


def test_an_answer_to_what_was_sent_before_it_was_asked_for_again_passes_nothing_else(journal: Journal) -> None:
    lanes = Lanes(journal, "city", ALL, ack_required=False)
    lanes.begin()
    journal.append([event(n) for n in range(5)], BOOT)
    for parcel in drain(lanes):
        lanes.answered(parcel.lane, parcel.row.seq)
    lanes.resend(0, 5)
    drain(lanes)
    lanes.resend(0, 5)  # while all five are under way
    assert lanes.next(20, 20, lambda: True) is not None
    lanes.answered("resend", 3)  # as it was sent first
    drain(lanes)
    lanes.answered("resend", 1)
    lanes.save()
    again = Lanes(journal, "city", ALL, ack_required=False)
    again.begin()
    assert [parcel.row.seq for parcel in drain(again)] == [2, 3, 4, 5]
    journal.close()


def test_stretches_are_joined_and_bounded() -> None:
    assert _compact([(4, 6), (0, 2), (2, 4), (9, 9)]) == [(0, 6)]
    many = [(10 * n, 10 * n + (9 if n % 2 else 3)) for n in range(200)]
    few = _compact(list(many))
    assert len(few) == _MOST_STRETCHES
    covered = {seq for after, upto in few for seq in range(after + 1, (upto or 0) + 1)}
    assert {seq for after, upto in many for seq in range(after + 1, upto + 1)} <= covered


def test_an_uplink_that_comes_later_knows_what_was_before_its_time(journal: Journal) -> None:
    """What was purged before it came is no gap in its chain; what it misses later is."""
    journal.append([event(1, stamp=stamp(400 * 86400)), event(2), event(3, "alarm.tamper")], BOOT)
    assert journal.purge(Policy(min_free=0), stamp()) == 1
    lanes = Lanes(journal, "city", ALL, ack_required=True)
    assert lanes.reach.begins_after == 1
    assert [lanes.reach.previous(parcel.row) for parcel in drain(lanes)] == [2, 1]
    lanes.save()
    assert journal.purge(Policy(min_free=0), replace(stamp(), time=stamp().time + timedelta(days=200))) == 1
    assert Lanes(journal, "city", ALL, ack_required=True).reach.begins_after == 1
    assert Lanes(journal, "estate", {EventClass.AUDIT}, ack_required=False).reach.begins_after == journal.last_seq
    journal.close()


def chain(journal: Journal, classes: set[EventClass]) -> tuple[dict[int, int], int]:
    """What an uplink gets now, sequence -> previous; and where it begins. It is all passed then."""
    lanes = Lanes(journal, "city", classes, ack_required=False)
    lanes.begin()
    found = drain(lanes)
    for parcel in found:
        lanes.answered(parcel.lane, parcel.row.seq)
    lanes.save()
    return {parcel.row.seq: lanes.reach.previous(parcel.row) for parcel in found}, lanes.reach.begins_after


def test_what_was_purged_between_events_that_stay_longer_is_no_gap_for_an_uplink_that_comes_later(
    journal: Journal,
) -> None:
    """Nobody tells of it: there was no uplink that had not got it."""
    old = stamp(300 * 86400)
    names = ["vehicle.passed", "access.granted", "vehicle.passed", "access.granted"]
    journal.append([event(n, name, stamp=old) for n, name in enumerate(names)], BOOT)
    journal.append([event(5), event(6, "vehicle.passed")], BOOT)
    assert journal.purge(Policy(min_free=0), stamp()) == 2
    assert chain(journal, set(ALL)) == ({1: 0, 3: 1, 5: 3, 6: 5}, 0)
    assert journal.purge(Policy(min_free=0), replace(stamp(), time=stamp().time + timedelta(days=200))) == 3
    journal.append([event(7)], BOOT)
    assert chain(journal, set(ALL)) == ({7: 6}, 0)  # what goes later was its own: it has it, or is told of it
    journal.close()


def test_a_class_that_is_added_begins_then(journal: Journal) -> None:
    """What it had before was never sent, so that nothing may name it as the event before another."""
    access, both = {EventClass.ACCESS}, {EventClass.ACCESS, EventClass.VEHICLE}
    journal.append([event(1), event(2, "vehicle.passed")], BOOT)
    assert chain(journal, access) == ({1: 0}, 0)
    journal.append([event(3, "vehicle.passed")], BOOT)
    lanes = Lanes(journal, "city", both, ack_required=False)
    lanes.save()
    journal.append([event(4), event(5, "vehicle.passed"), event(6)], BOOT)
    assert {seq: previous for seq, previous in chain(journal, both)[0].items() if seq > 3} == {4: 1, 5: 4, 6: 5}
    journal.append([event(7, "vehicle.passed")], BOOT)
    assert chain(journal, access) == ({}, 0)
    journal.append([event(8)], BOOT)
    assert chain(journal, both) == ({8: 6}, 0)  # it had gone, and begins anew
    journal.close()


def test_what_comes_from_now_on_begins_with_what_was_there(journal: Journal) -> None:
    journal.append([event(1), event(2, "vehicle.passed")], BOOT)
    lanes = Lanes(journal, "city", ALL, ack_required=False, from_now=True)
    lanes.begin()
    journal.append([event(3), event(4)], BOOT)
    assert [lanes.reach.previous(parcel.row) for parcel in drain(lanes)] == [2, 3]
    lanes.resend(0, 2)
    assert [lanes.reach.previous(parcel.row) for parcel in drain(lanes)] == [0, 1]
    journal.close()
