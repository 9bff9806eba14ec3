"""The recorder: takes events from everyone, keeps them in the journal, one commit for all that wait.

Rule: `record` never blocks and nothing is lost in silence. A batch that the disk refuses is kept and tried again; what
does not fit the queue meanwhile, and what the privacy guard refuses, is counted per class and told by a `loss` event.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.board import Board
from gateway.captures import Captures
from gateway.clock import ClockTrust, boot_id, now, trust
from gateway.errors import GatewayError, Rejected, StoreError
from gateway.journal import Journal
from gateway.privacy import refuse_face_data
from gateway.settings import Journal as Policy
from gateway.text import Language
from gateway.types import Event, EventClass, Shot

log = logging.getLogger(__name__)

_BATCH = 500
_MOST_SHOTS = 16 << 20  # bytes of pictures that may wait for the disk
_LONGEST_PAUSE = 5.0
_HOUSEKEEPING = 30.0  # seconds between purges
_BEAT = 30.0  # a memory card may take its time over one commit

Then = Callable[[], None] | None


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
        read_trust: Callable[[], ClockTrust] = trust,
        captures: Captures | None = None,
    ) -> None:
        self._attached = journal
        self._captures = captures
        self._shots_waiting = 0  # bytes of pictures in the queue
        self._board = board
        self._language = language  # of what the board says; the log is English
        self._policy = policy or Policy()
        self._boot = boot or boot_id()
        self._read_trust = read_trust
        self._trust = read_trust()
        self._queue: queue.Queue[tuple[Event, Then, Sequence[Shot]]] = queue.Queue(capacity)
        self._lock = threading.Lock()
        self._missed: dict[tuple[EventClass, str], _Missed] = {}
        self._to_tell: list[Event] = []
        self._failing_since: float | None = None
        self._next_housekeeping = time.monotonic() + _HOUSEKEEPING

    def attach(self, journal: Journal) -> None:
        """Where to keep the events, if that was not known from the beginning; before `run`."""
        self._attached = journal

    @property
    def _journal(self) -> Journal:
        assert self._attached is not None, "a recorder runs only once its journal is attached"
        return self._attached

    def record(self, event: Event, then: Then = None, shots: Sequence[Shot] = ()) -> None:
        """Take an event; `then` is called on the recorder's thread once it is on the disk.

        `shots` become captures before it does. While the disk holds up too many of them, events come without.
        """
        try:
            refuse_face_data(event.data)
        except Rejected as error:
            self._note_refusal(event, error)
            return
        shots = self._admit(shots)
        try:
            self._queue.put_nowait((event, then, shots))
        except queue.Full:
            self._dismiss(shots)
            self._board.count("recorder.overflow")
            self._note_missed(event, "overflow")

    def run(self, stop: threading.Event) -> None:
        """Keep what comes until `stop`, then what is left."""
        while not stop.is_set():
            self._board.beat("recorder", allowed_age=_BEAT)
            batch = self._gather(0.5)
            if batch:
                self._keep(batch, stop)
            self._tell()
            self._keep_house()
        while batch := self._gather(0.0):
            if not self._keep(batch, stop):
                break
        self._tell()
        self._board.retire("recorder")

    def _gather(self, wait: float) -> list[tuple[Event, Then]]:
        batch: list[tuple[Event, Then]] = []
        try:
            batch.append(self._with_captures(self._queue.get(timeout=wait) if wait else self._queue.get_nowait()))
            while len(batch) < _BATCH:
                batch.append(self._with_captures(self._queue.get_nowait()))
        except queue.Empty:
            pass
        return batch

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

    def _with_captures(self, waiting: tuple[Event, Then, Sequence[Shot]]) -> tuple[Event, Then]:
        """The event as it shall be kept; its pictures are on the disk by then, or it names none."""
        event, then, shots = waiting
        if shots and self._captures is not None:
            event = self._captures.keep(event, shots)
            self._dismiss(shots)
        return event, then

    # ── batches ───────────────────────────────────────────────────────────────────────────────────────────

    def _keep(self, batch: list[tuple[Event, Then]], stop: threading.Event) -> bool:
        """Write the batch, however long the disk takes; False if `stop` came first."""
        pause = 0.1
        while True:
            try:
                self._append(batch)
            except StoreError as error:
                self._note_failure(error)
                self._board.beat("recorder", allowed_age=_BEAT)
                self._keep_house()  # may make the room that is missing
                if stop.wait(pause):
                    log.critical("%d events could not be kept before the end", len(batch))
                    return False
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                self._note_success(len(batch))
                return True

    def _append(self, batch: list[tuple[Event, Then]]) -> None:
        try:
            self._journal.append([event for event, _ in batch], self._boot)
        except Rejected:
            self._append_one_by_one(batch)
        else:
            for _, then in batch:
                self._finish(then)

    def _append_one_by_one(self, batch: list[tuple[Event, Then]]) -> None:
        """One event of the batch is refused for good: keep the others."""
        for event, then in list(batch):
            try:
                self._journal.append([event], self._boot)
            except Rejected as error:
                self._note_refusal(event, error)
            else:
                self._finish(then)
            batch.remove((event, then))

    def _finish(self, then: Then) -> None:
        if then is None:
            return
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

    # ── housekeeping ──────────────────────────────────────────────────────────────────────────────────────

    def _keep_house(self) -> None:
        """Restamp once the clock is set, purge now and then."""
        if time.monotonic() < self._next_housekeeping:
            return
        self._next_housekeeping = time.monotonic() + _HOUSEKEEPING
        try:
            before, self._trust = self._trust, self._read_trust()
            if before is ClockTrust.UNSYNCED and self._trust is ClockTrust.SYNCED:
                self._board.count("recorder.restamped", self._journal.restamp(self._boot, now()))
            self._board.count("journal.purged", self._journal.purge(self._policy))
        except StoreError as error:
            self._note_failure(error)
