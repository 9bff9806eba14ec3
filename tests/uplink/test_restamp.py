"""What was written before the clock was set leaves the house with its true time, once the clock is set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import ClockTrust, boot_id
from gateway.journal import Journal
from gateway.types import EventClass
from gateway.uplink import lanes as lanes_module
from gateway.uplink.lanes import Lanes
from tests.facts import event, stamp
from tests.uplink.test_lanes import drain

ALL = frozenset(EventClass)


class Clock:
    trust = ClockTrust.UNSYNCED


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db", read_trust=lambda: clock.trust)
    names = ["access.granted", "alarm.tamper"]
    batch = [event(n, names[n % 2], stamp=stamp(100 - n, ClockTrust.UNSYNCED)) for n in range(6)]
    journal.append(batch, boot_id())
    yield journal
    journal.close()


def test_nothing_waits_while_the_clock_is_not_set(journal: Journal) -> None:
    lanes = Lanes(journal, "city", ALL, ack_required=False)
    lanes.begin()
    assert {parcel.row.clock for parcel in drain(lanes)} == {ClockTrust.UNSYNCED}


def test_what_was_read_already_is_read_again_and_sent_once_with_its_true_time(journal: Journal, clock: Clock) -> None:
    lanes = Lanes(journal, "city", ALL, ack_required=False)
    lanes.begin()
    first = lanes.next(20, 20, lambda: True)
    assert first is not None
    clock.trust = ClockTrust.SYNCED
    assert drain(lanes) == []  # set, and not yet restamped
    assert journal.restamp(boot_id(), stamp(-3600)) == 6
    rest = drain(lanes)
    assert sorted([first.row.seq, *(parcel.row.seq for parcel in rest)]) == [1, 2, 3, 4, 5, 6, 7]
    assert {parcel.row.clock.value for parcel in rest if parcel.row.seq < 7} == {"restored"}
    assert {parcel.row.name for parcel in rest if parcel.row.seq == 7} == {"audit.clock_set"}
    for parcel in [first, *rest]:
        lanes.answered(parcel.lane, parcel.row.seq)
    lanes.save()
    assert journal.pending("city", ALL).count == 0


def test_a_disk_that_takes_no_true_times_holds_nothing_up_for_long(
    journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "_LONGEST_HOLD", 0.0)
    lanes = Lanes(journal, "city", ALL, ack_required=False)
    lanes.begin()
    clock.trust = ClockTrust.SYNCED
    assert len(drain(lanes)) == 6


def test_rows_of_the_boot_before_wait_for_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "other" / "journal.db", read_trust=lambda: ClockTrust.SYNCED)
    journal.append([event(1, stamp=stamp(5, ClockTrust.UNSYNCED))], "the-boot-before")
    journal.append([event(2, stamp=stamp(4, ClockTrust.UNSYNCED))], boot_id())
    assert journal.restamp(boot_id(), stamp()) == 1
    lanes = Lanes(journal, "city", {EventClass.ACCESS}, ack_required=False)
    lanes.begin()
    assert [parcel.row.clock.value for parcel in drain(lanes)] == ["unsynced", "restored"]
    journal.close()
