"""The recorder: takes events from everyone, keeps them in the journal, one commit for all that wait.

Rule: `record` never blocks and nothing is lost in silence. A batch that the disk refuses is kept and tried again; what
does not fit the queue meanwhile, and what the privacy guard refuses, is counted per class and told by a `loss` event.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from gateway.board import Board
from gateway.captures import Captures
from gateway.clock import Stamp, boot_id, now
from gateway.errors import GatewayError, Rejected, StoreError
from gateway.journal import Entry, Journal, write_down
from gateway.settings import Journal as Policy
from gateway.text import Language
from gateway.types import Event, EventClass, Shot
from gateway.upkeep import Upkeep

log = logging.getLogger(__name__)

_BATCH = 1000
_MOST_SHOTS = 16 << 20  # bytes of pictures that may wait for the disk
_LONGEST_PAUSE = 5.0
_BEAT = 30.0  # a memory card may take its time over one commit

Then = Callable[[], None] | None


# An event on its way to the disk, written down already; with pictures it is so again once it names them.
_Waiting = tuple[Event, Entry, Then, Sequence[Shot]]


@dataclass(slots=True)
class _Missed:
    """Events of one class that were not kept, for one cause."""

    count: int
    first: str
    last: str


class Recorder:
    """`record` may be called from any thread; `run` is one thread's work."""

    def __init__(
        self,
        journal: Journal | None,
        board: Board,
        policy: Policy | None = None,
        *,
        boot: str | None = None,
        capacity: int = 10_000,
        language: Language = Language.EN,
        wanted: Collection[EventClass] = frozenset(EventClass),
        stamp: Callable[[], Stamp] = now,
        captures: Captures | None = None,
    ) -> None:
        self._attached = journal
        self._captures = captures
        self._shots_waiting = 0  # bytes of pictures in the queue
        self._board = board
        self._language = language  # of what the board says; the log is English
        self._policy = policy or Policy()
        self._boot = boot or boot_id()
        self._wanted = wanted  # by some uplink
        self._stamp = stamp
        self._upkeep: Upkeep | None = None
        self._capacity = capacity
        self._queue: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._missed: dict[tuple[EventClass, str], _Missed] = {}
        self._to_tell: list[Event] = []
        self._failing_since: float | None = None

    def attach(self, journal: Journal) -> None:
        """Where to keep the events, if that was not known from the beginning; before `run`."""
        self._attached = journal

    @property
    def _journal(self) -> Journal:
        assert self._attached is not None, "a recorder runs only once its journal is attached"
        return self._attached

    def record(self, event: Event, then: Then = None, shots: Sequence[Shot] = ()) -> None:
        """Take an event; `then` is called on the recorder's thread once it is on the disk.

        Whoever gives one waits for it, and for few at a time: such an event always fits the queue.
        `shots` become captures before it does. While the disk holds up too many of them, events come without.
        """
        try:
            entry = write_down(event, self._boot)
        except Rejected as error:
            self._note_refusal(event, error)
            return
        shots = self._admit(shots) if shots else ()
        if then is not None or self._queue.qsize() < self._capacity:  # threads at once may exceed it by one each
            self._queue.put((event, entry, then, shots))
        else:
            self._dismiss(shots)
            self._board.count("recorder.overflow")
            self._note_missed(event, "overflow")

    def run(self, stop: threading.Event) -> None:
        """Keep what comes until `stop`, then what is left."""
        while not stop.is_set():
            self._board.beat("recorder", allowed_age=_BEAT)
            batch = self._gather(0.0 if self._house.is_behind else 0.5)
            if batch:
                self._keep(batch, stop)
            self._tell()
            self._keep_house()
        while not self._queue.empty():
            batch = self._gather(0.0)
            if batch and not self._keep(batch, stop):
                break
        self._tell()
        self._board.retire("recorder")

    def _gather(self, wait: float) -> list[_Waiting]:
        waiting: list[_Waiting] = []
        try:
            waiting.append(self._queue.get(timeout=wait) if wait else self._queue.get_nowait())
            while len(waiting) < _BATCH:
                waiting.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return [whole for taken in waiting if (whole := self._illustrated(*taken) if taken[3] else taken)]

    # ── pictures ──────────────────────────────────────────────────────────────────────────────────────────

    def _admit(self, shots: Sequence[Shot]) -> Sequence[Shot]:
        """The pictures, if there is memory for them to wait in."""
        size = sum(len(shot.jpeg) for shot in shots)
        if not size or self._captures is None:
            return ()
        with self._lock:
            if self._shots_waiting + size <= _MOST_SHOTS:
                self._shots_waiting += size
                return shots
        self._board.count("captures.missed", len(shots))
        return ()

    def _dismiss(self, shots: Sequence[Shot]) -> None:
        with self._lock:
            self._shots_waiting -= sum(len(shot.jpeg) for shot in shots)

    def _illustrated(self, event: Event, _: Entry, then: Then, shots: Sequence[Shot]) -> _Waiting | None:
        """The event as it shall be kept: its pictures are on the disk by then, or it names none. None if refused."""
        assert self._captures is not None, "pictures are admitted only where they can be kept"
        event = self._captures.keep(event, shots)
        self._dismiss(shots)
        try:
            return event, write_down(event, self._boot), then, ()
        except Rejected as error:
            self._note_refusal(event, error)
            return None

    # ── batches ───────────────────────────────────────────────────────────────────────────────────────────

    def _keep(self, batch: Sequence[_Waiting], stop: threading.Event) -> bool:
        """Write the batch, however long the disk takes; False if `stop` came first."""
        entries = [entry for _, entry, _, _ in batch]
        pause = 0.1
        while True:
            try:
                self._journal.keep(entries)
            except StoreError as error:
                self._note_failure(error)
                self._board.beat("recorder", allowed_age=_BEAT)
                self._make_room(error)
                if stop.wait(pause):
                    log.critical("%d events could not be kept before the end", len(batch))
                    return False
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                self._note_success(len(batch))
                self._finish(batch)
                return True

    def _finish(self, batch: Sequence[_Waiting]) -> None:
        for _, _, then, _ in batch:
            if then is not None:
                try:
                    then()
                except (GatewayError, OSError) as error:  # the event is kept; whoever waits for it may have gone
                    log.warning("the event is kept, but what was to follow failed: %s", error)

    # ── failures ──────────────────────────────────────────────────────────────────────────────────────────

    def _note_failure(self, error: StoreError) -> None:
        self._board.count("recorder.store_errors")
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            self._board.note("journal.fault", error.say(self._language))
            log.critical("EVENTS CANNOT BE KEPT: %s", error)

    def _note_success(self, count: int) -> None:
        self._board.count("recorder.events", count)
        self._board.count("recorder.commits")
        if self._failing_since is None:
            return
        seconds = round(time.monotonic() - self._failing_since, 1)
        self._failing_since = None
        fault = self._board.facts().get("journal.fault", "")
        self._board.note("journal.fault", None)
        log.warning("events are kept again, after %.1f s", seconds)
        data = {"state": "cleared", "severity": 1, "seconds": seconds, "cause": str(fault)}
        self._to_tell.append(Event("alarm.journal_unwritable", "journal", now(), data))

    def _note_refusal(self, event: Event, error: Rejected) -> None:
        log.error("event %s refused: %s", event.name, error)
        self._board.count("recorder.refused")
        self._note_missed(event, "refused")

    def _note_missed(self, event: Event, cause: str) -> None:
        try:
            kind = event.event_class
        except ValueError:  # of no class: no uplink could have had it
            return
        moment = event.stamp.time.isoformat(timespec="milliseconds")
        with self._lock:
            seen = self._missed.setdefault((kind, cause), _Missed(0, moment, moment))
            seen.count += 1
            seen.last = moment

    def _tell(self) -> None:
        """Keep what the recorder itself has to say; past the queue, which may be what it speaks of."""
        with self._lock:
            missed, self._missed = self._missed, {}
        self._to_tell += [self._loss(kind, cause, found) for (kind, cause), found in missed.items()]
        if not self._to_tell:
            return
        try:
            self._journal.append(self._to_tell, self._boot)
        except StoreError as error:
            self._note_failure(error)
        else:
            self._to_tell = []

    def _loss(self, kind: EventClass, cause: str, missed: _Missed) -> Event:
        """These events never had a sequence: `from` and `to` are null, the times say which they were."""
        data = {"class": kind.value, "from": None, "to": None, "count": missed.count, "cause": cause}
        return Event("loss", "recorder", now(), data | {"first_time": missed.first, "last_time": missed.last})

    # ── upkeep ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _house(self) -> Upkeep:
        if self._upkeep is None:
            self._upkeep = Upkeep(
                self._journal,
                self._policy,
                self._board,
                self._boot,
                wanted=self._wanted,
                language=self._language,
                stamp=self._stamp,
                shed_pictures=self._captures.shed if self._captures else None,
            )
        return self._upkeep

    def _keep_house(self) -> None:
        try:
            for told in self._house.round():  # one by one: what comes before an error is kept
                self._to_tell.append(told)
        except StoreError as error:
            self._note_failure(error)

    def _make_room(self, error: StoreError) -> None:
        """The disk refused: make room if that is what is missing, and tell of it before anything else takes it."""
        try:
            self._to_tell += self._house.make_room(error)
        except StoreError as worse:
            self._note_failure(worse)
        self._tell()
