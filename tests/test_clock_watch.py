"""A clock that jumps is told, and so is one whose time source says that it is wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from gateway.clock import ClockTrust, Stamp
from gateway.clock_watch import ClockWatch
from gateway.journal import Journal
from gateway.types import Event
from tests.facts import BOOT, NOON

SYNCED, UNSYNCED = ClockTrust.SYNCED, ClockTrust.UNSYNCED


class Box:
    """A wall clock and a monotonic one, and what the kernel says of the first."""

    def __init__(self, trust: ClockTrust) -> None:
        self.mono, self.error, self.trust = 1000.0, 0.0, trust
        self.offset: float | None = 0.0
        self.watch = ClockWatch(self._stamp, lambda: self.offset)

    def _stamp(self) -> Stamp:
        return Stamp(NOON + timedelta(seconds=self.mono + self.error), self.mono, self.trust)

    def look(self, error: float = 0.0, trust: ClockTrust | None = None) -> list[tuple[str, float]]:
        """A second later, with the wall clock `error` seconds off."""
        self.mono, self.error, self.trust = self.mono + 1, error, trust or self.trust
        return [(event.data["state"], event.data["offset_s"]) for event in self.watch.look()]


def test_a_clock_that_is_kept_is_nothing_to_tell() -> None:
    box = Box(SYNCED)
    assert [box.look(error) for error in (0.0, 0.2, 0.4, 4.0, 0.1)] == [[]] * 5


def test_a_jump_stands_until_the_clock_is_kept_again() -> None:
    box = Box(SYNCED)
    assert box.look() == []
    assert box.look(86_400.0, UNSYNCED) == [("raised", 86_400.0)]  # somebody set it by hand
    assert box.look(86_400.0) == []
    assert box.look(86_400.5) == []
    assert box.look(0.2, SYNCED) == [("cleared", 0.2)]
    assert box.look(0.2) == []


def test_a_time_source_that_puts_it_right_by_a_jump_tells_how_wrong_it_was() -> None:
    box = Box(SYNCED)
    box.look()
    assert box.look(-3600.0) == [("raised", -3600.0)]
    assert box.look(-3600.0) == [("cleared", 0.0)]


def test_the_first_setting_since_the_start_is_no_jump() -> None:
    box = Box(UNSYNCED)
    box.look(-1e8)
    assert box.look(0.0, SYNCED) == []
    assert box.look(0.0) == []


def test_a_box_without_a_time_source_tells_each_jump() -> None:
    box = Box(UNSYNCED)
    box.look()
    assert box.look(7200.0) == [("raised", 7200.0)]
    assert box.look(7200.0) == [("cleared", 0.0)]


def test_what_the_time_source_says_counts_while_it_keeps_the_clock() -> None:
    box = Box(SYNCED)
    box.look()
    box.offset = -6.5
    assert box.look() == [("raised", -6.5)]
    box.offset = -3.0
    assert box.look() == []  # better, not good
    box.offset = -0.4
    assert box.look() == [("cleared", -0.4)]


def test_an_alarm_that_stood_is_cleared_by_the_process_after(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    box = Box(SYNCED)
    standing = Event("alarm.clock_drift", "clock", box._stamp(), {"state": "raised", "severity": 2, "offset_s": 9.0})
    journal.append([standing], BOOT)
    box.watch.recall(journal)
    assert box.look() == [("cleared", 0.0)]
    assert box.look() == []
    journal.close()
