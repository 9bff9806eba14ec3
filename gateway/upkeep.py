"""What the recorder does between commits: the clock, the age and the size of what is kept, and the room on the disk.

Rule: pictures go before facts, low classes before high ones, alarms and audit never; what goes is told. When the disk
is full the ballast makes way: first for the shedding, which must write to free, then for the alarm. Events wait while a
round lasts, so that a round does a bounded part of what there is to do, however large the journal; the rest comes after
them.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from gateway.board import Board
from gateway.clock import ClockTrust, Stamp, now
from gateway.clock_watch import ClockWatch
from gateway.errors import StoreError
from gateway.journal import DiskFull, Journal
from gateway.journal.ballast import Ballast
from gateway.journal.purge import CHUNK
from gateway.settings import Journal as Policy
from gateway.standing import StandingAlarm
from gateway.survival import estimate
from gateway.text import Language
from gateway.types import Event, EventClass

log = logging.getLogger(__name__)

_CLOCK_EVERY_S = 1.0
_PURGE_EVERY_S = 30.0
_WEIGH_EVERY_S = 0.1  # also in a burst
_ESTIMATE_EVERY_S = 600.0
_FULL = 1 << 20  # bytes: with less than that free, whatever failed, failed for want of room
_LOW, _OUT = 2, 1  # severities

Shed = Callable[[int], int]  # asked for bytes, says how many it freed


class Upkeep:
    """Owned by the recorder's thread. `shed_pictures` deletes captures, the least wanted first."""

    def __init__(
        self,
        journal: Journal,
        policy: Policy,
        board: Board,
        boot: str,
        *,
        wanted: Collection[EventClass] = frozenset(EventClass),
        language: Language = Language.EN,
        stamp: Callable[[], Stamp] = now,
        shed_pictures: Shed | None = None,
    ) -> None:
        self._journal = journal
        self._policy = policy
        self._board = board
        self._boot = boot
        self._wanted = wanted
        self._language = language
        self._stamp = stamp
        self._shed_pictures = shed_pictures
        self._ballast = Ballast(journal.folder / "ballast", policy.ballast)
        self._storage = StandingAlarm("alarm.storage_low", "storage")
        self._clock = ClockWatch(stamp)
        self._due: dict[Callable[[], list[Event]], float] = {}
        self._recalled = False
        self._is_weighed = True

    def round(self) -> Iterator[Event]:
        """Whatever is due, as far as it is iterated; yields what is to be told before it goes on. Raises `StoreError`.

        An alarm that has been told to nobody is never told again: keep what came before an error.
        """
        if not self._recalled:
            self._storage.recall(self._journal)
            self._clock.recall(self._journal)
            self._recalled = True
        yield from self._now_and_then(self._look_at_clock, _CLOCK_EVERY_S)
        yield from self._now_and_then(self._look_at_disk, _PURGE_EVERY_S)
        yield from self._now_and_then(self._weigh, _WEIGH_EVERY_S)

    @property
    def is_behind(self) -> bool:
        """Whether the last round has left something to do at once."""
        return 0.0 in self._due.values()

    def make_room(self, error: StoreError) -> list[Event]:
        """A write failed: if the disk is full, free what can be freed; returns what is to be told.

        Raises `StoreError` where even that cannot be written.
        """
        if not isinstance(error, DiskFull) and self._free() >= _FULL:
            return []
        log.critical("the disk is full: the ballast makes way")
        self._ballast.release()
        self._ask_for_pictures()
        self._board.count("journal.purged", self._journal.purge(self._policy, self._stamp(), is_full=True))
        return self._tell_room(_OUT, self._free())

    def _now_and_then(self, work: Callable[[], list[Event]], every: float) -> list[Event]:
        if time.monotonic() < self._due.get(work, 0.0):
            return []
        self._due[work] = time.monotonic() + every
        return work()

    def _go_on(self, work: Callable[[], list[Event]]) -> None:
        """It has more to do: in the next round."""
        self._due[work] = 0.0

    def _look_at_clock(self) -> list[Event]:
        at = self._stamp()
        if at.trust is ClockTrust.SYNCED:
            restamped = self._journal.restamp(self._boot, at)
            if restamped:
                self._board.count("recorder.restamped", restamped)
            if self._journal.has_unset(self._boot):
                self._go_on(self._look_at_clock)
        return self._clock.look()

    def _look_at_disk(self) -> list[Event]:
        self._ask_for_pictures()
        gone = self._journal.purge(self._policy, self._stamp(), most=CHUNK)
        self._board.count("journal.purged", gone)
        if gone >= CHUNK:
            self._go_on(self._look_at_disk)
        is_ready = self._ballast.make(self._policy.min_free)
        free = self._free()
        self._note(ballast=is_ready)
        if free < self._policy.min_free:
            return self._tell_room(min(_LOW, self._storage.severity or _LOW), free)
        return self._tell_room(None if is_ready else self._storage.severity, free)

    def _tell_room(self, severity: int | None, free: int) -> list[Event]:
        """How short of room the disk is: on the board, and as an alarm where that is news."""
        self._note(free=free, low=severity is not None)
        return self._storage.set(severity, self._stamp(), free=free)

    def _weigh(self) -> list[Event]:
        """That it fails is no fault of the journal's: events are kept without, and whether they are, appends tell."""
        try:
            told = self._now_and_then(self._look_ahead, _ESTIMATE_EVERY_S) if self._journal.weigh() else []
        except StoreError as error:
            if self._is_weighed:
                log.warning("budgets and outlook wait, for what the journal holds cannot be weighed: %s", error)
            self._is_weighed = False
            return []
        self._is_weighed = True
        return told

    def _look_ahead(self) -> list[Event]:
        found = estimate(self._policy, self._journal, self._wanted)
        survival = None
        if found:
            survival = {"days": round(found.days, 1), "class": found.event_class.value, "limit": found.limit}
            survival |= {"bytes_per_day": found.bytes_per_day, "words": found.say().say(self._language)}
        self._note(off_line=survival)
        return []

    def _note(self, **facts: Any) -> None:
        self._board.note("storage", {**(self._board.facts().get("storage") or {}), **facts})

    def _ask_for_pictures(self) -> None:
        missing = self._policy.min_free - self._free()
        if missing > 0 and self._shed_pictures:
            freed = self._shed_pictures(missing)
            log.warning("the disk runs short: %d bytes of pictures were deleted", freed)

    def _free(self) -> int:
        try:
            return shutil.disk_usage(self._journal.folder).free
        except OSError as error:
            raise StoreError(str(error)) from error
