"""Tells when the wall clock is more than 5 s wrong: when it jumps, and when its time source says so.

Rule: a jump is what the wall clock does against the monotonic one; that the clock is set for the first time since the
start is none (`audit.clock_set` tells of it). After a jump the alarm stands until a time source keeps the clock again,
or until it has jumped back. A box that never had a time source has nothing to compare with: the jump is told and over.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.clock import ClockTrust, Stamp, now, offset
from gateway.journal import JournalReader
from gateway.standing import StandingAlarm
from gateway.types import Event

_WRONG_S = 5.0  # GA/T 1742: the error of the clock is at most 5 s
_RIGHT_S = 1.0
_SEVERITY = 2


class ClockWatch:
    """`look` once a second."""

    def __init__(self, stamp: Callable[[], Stamp] = now, read_offset: Callable[[], float | None] = offset) -> None:
        self._stamp = stamp
        self._read_offset = read_offset
        self._alarm = StandingAlarm("alarm.clock_drift", "clock")
        self._last: tuple[float, ClockTrust] | None = None  # when this boot began, by the wall clock, and its trust
        self._kept: float | None = None  # the same when a time source last kept the clock

    def recall(self, journal: JournalReader) -> None:
        """Take up an alarm that stood when the process before this one ended. Raises `StoreError`."""
        self._alarm.recall(journal)

    def look(self) -> list[Event]:
        """What is to be told."""
        at = self._stamp()
        began = at.time.timestamp() - at.mono
        jump = self._jump(began, at.trust)
        known = (self._read_offset() or 0.0) if at.trust is ClockTrust.SYNCED else 0.0
        error, cause = (jump, "jump") if abs(jump) >= abs(known) else (known, "offset")
        self._last = (began, at.trust)
        if at.trust is ClockTrust.SYNCED:
            self._kept = began
        if abs(error) > _WRONG_S:
            return self._alarm.set(_SEVERITY, at, offset_s=round(error, 3), cause=cause)
        if abs(error) < _RIGHT_S:
            return self._alarm.set(None, at, offset_s=round(error, 3))
        return []

    def _jump(self, began: float, trust: ClockTrust) -> float:
        if self._last is None:
            return 0.0
        if self._kept is not None:
            return began - self._kept
        is_set = trust is ClockTrust.SYNCED and self._last[1] is ClockTrust.UNSYNCED
        return 0.0 if is_set else began - self._last[0]
