"""Which event an uplink sends next, and how far it has come.

Rule: a row is passed only by its own answer. How far an uplink has come is kept as the stretches of the sequence that
it has NOT passed, in three lanes:

    alarm    (A, ∞)                    the alarms, always first
    live     (H, ∞)                    what was recorded after the last connect (sequence H)
    backlog  (a, b] (c, d] …           what was in the journal then: older outages first, replayed at a capped rate

    resend   (e, f] …                  what the platform asked for again, of all its classes; after the backlog
    begin    (B, B]                    no lane: where this uplink, and each class of it, begins (reach.py)

At each connect the unpassed rest of `live` becomes the last stretch of `backlog`. Whatever happens to the process, the
saved stretches cover everything unpassed: an old save only sends again, with the same ids and sequences. Dead letters
(refused by the broker for good) are passed in their lane, kept apart, and tried again at each connect and every 10 min.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.journal import Cursor, Journal, Row
from gateway.types import EventClass
from gateway.uplink.reach import Reach

_BATCH = 200  # rows in memory per lane
_MOST_STRETCHES = 64
_RETRY_DEAD = 600.0
_LONGEST_HOLD = 5.0  # the disk may not take the true times: then the events go as they are


class Parcel(NamedTuple):
    """A row on its way. `replay`: it was in the journal before this connection."""

    row: Row
    lane: str
    replay: bool


@dataclass(slots=True)
class _Lane:
    """One lane. Stretches ascend; only the last may be open (None)."""

    name: str
    read: Callable[[int, int | None], list[Row]]  # rows after the first and up to the second sequence
    stretches: deque[tuple[int, int | None]] = field(default_factory=deque)
    buffer: deque[Row] = field(default_factory=deque)
    flying: dict[int, bool] = field(default_factory=dict)  # sequence -> answered, in the order of sending
    position: int = 0  # everything of this lane up to here has been read

    def restart(self, stretches: Iterable[tuple[int, int | None]]) -> None:
        self.stretches = deque(stretches)
        self.buffer.clear()
        self.flying.clear()
        self.position = self.stretches[0][0] if self.stretches else 0

    def peek(self, newest: int) -> Row | None:
        """The next row to send, `newest` being the last sequence in the journal."""
        if not self.buffer and self.position < newest:
            self._fill(newest)
        return self.buffer[0] if self.buffer else None

    def _fill(self, newest: int) -> None:
        for after, upto in self.stretches:
            start = max(after, self.position)
            end = newest if upto is None else upto
            if start >= end:
                continue
            self.buffer.extend(self.read(start, end))
            self.position = self.buffer[-1].seq if self.buffer else end
            if self.buffer:
                return

    def reread(self) -> None:
        """What was read and not sent may have changed."""
        if self.buffer:
            self.position = self.buffer[0].seq - 1
            self.buffer.clear()

    def take(self) -> Row:
        row = self.buffer.popleft()
        self.flying[row.seq] = False
        return row

    def answer(self, seq: int) -> None:
        if seq not in self.flying:  # sent before a restart of the lane: what counts is the order of sending since
            return
        self.flying[seq] = True
        while self.flying:
            first = next(iter(self.flying))
            if not self.flying[first]:
                break
            del self.flying[first]

    def left(self, watermark: int | None) -> list[tuple[int, int | None]]:
        """The stretches that are not passed yet; no row above `watermark` is, if there is one."""
        if self.flying:
            passed = next(iter(self.flying)) - 1
        elif self.buffer:
            passed = self.buffer[0].seq - 1
        else:
            passed = self.position
        if watermark is not None:
            passed = min(passed, watermark)
        return [(max(after, passed), upto) for after, upto in self.stretches if upto is None or upto > passed]


class Lanes:
    """Owned by the uplink's thread. `save` is cheap when nothing has moved."""

    def __init__(
        self,
        journal: Journal,
        uplink: str,
        classes: Iterable[EventClass],
        *,
        ack_required: bool,
        from_now: bool = False,
    ) -> None:
        """`from_now`: an uplink that the journal does not know yet leaves out what is in it. Raises `StoreError`."""
        wanted = frozenset(classes)
        alarms, others = wanted & {EventClass.ALARM}, wanted - {EventClass.ALARM}
        self._journal = journal
        self._uplink = uplink
        self._alarm = _Lane("alarm", lambda after, upto: journal.read_after(after, alarms, _BATCH, upto=upto))
        self._live = _Lane("live", lambda after, upto: journal.read_after(after, others, _BATCH, upto=upto))
        self._backlog = _Lane("backlog", lambda after, upto: journal.read_after(after, others, _BATCH, upto=upto))
        self._resend = _Lane("resend", lambda after, upto: journal.read_after(after, wanted, _BATCH, upto=upto))
        self._dead = _Lane("dead", lambda after, _: journal.dead_letters(uplink, after, _BATCH))
        self._lanes = {lane.name: lane for lane in self._in_order()}
        self._watermark: int | None = 0 if ack_required else None
        self._buried: dict[int, str] = {}
        self._revived: list[int] = []
        self._saved: list[Cursor] = []
        self.unsaved = 0  # rows that the broker has since the last save: a kill would send them again
        self._boundary = 0
        self._next_retry = 0.0
        self._restamps = journal.restamps
        self._hold_until: float | None = None
        journal.register(uplink, wanted)
        self._load(wanted, from_now)

    def begin(self) -> None:
        """A new connection: what is unpassed now is backlog, what comes from now on is live."""
        newest = self._journal.last_seq
        waiting = self._backlog.left(self._watermark) + self._live.left(self._watermark)
        self._boundary = newest
        self._alarm.restart(self._alarm.left(self._watermark))
        self._backlog.restart(_compact([(after, newest if upto is None else upto) for after, upto in waiting]))
        self._live.restart([(newest, None)])
        self._resend.restart(self._resend.left(None))
        self._dead.restart([])
        self._next_retry = 0.0

    def next(self, free: int, window: int, may_replay: Callable[[], bool]) -> Parcel | None:
        """The next row to send, given `free` of `window` places; None to wait.

        Alarms may use the last place, live rows leave it to them, and the backlog leaves a quarter to both.
        """
        newest = self._journal.last_seq
        if free < 1:
            return None
        self._take_up_restamped()
        if self._ready(self._alarm, newest):
            return self._parcel(self._alarm)
        if (free > 1 or window == 1) and self._ready(self._live, newest):
            return self._parcel(self._live)
        if free <= window // 4:
            return None
        self._retry_dead(newest)
        for lane in (self._backlog, self._resend, self._dead):
            if self._ready(lane, newest):
                return self._parcel(lane) if may_replay() else None
        return None

    def answered(self, lane: str, seq: int) -> None:
        """The broker has the row."""
        self._lanes[lane].answer(seq)
        self.unsaved += 1
        if lane == "dead":
            self._revived.append(seq)

    def refused(self, lane: str, seq: int, reason: str) -> None:
        """The broker will not have the row: it is kept as a dead letter and the lane goes on."""
        self._lanes[lane].answer(seq)
        self._buried[seq] = reason

    def resend(self, after: int, upto: int) -> None:
        """The platform wants these again; they survive a broken connection and a restart."""
        waiting = [*self._resend.left(None), (after, min(upto, self._journal.last_seq))]
        self._resend.restart(_compact(waiting))

    def retry_dead(self) -> None:
        """Try the dead letters again as soon as there is room."""
        self._next_retry = 0.0

    def stored(self, seq: int) -> bool:
        """The platform's watermark: it has stored everything up to `seq`. False if that is news to nobody."""
        if self._watermark is None or not self._watermark < seq <= self._journal.last_seq:
            return False
        self._watermark = seq
        return True

    @property
    def awaits_watermark(self) -> bool:
        """Whether rows have their PUBACK but not yet the platform's word."""
        watermark = self._watermark
        lanes = (lane for lane in self._in_order() if lane is not self._resend)
        return watermark is not None and any(lane.left(watermark) != lane.left(None) for lane in lanes)

    def save(self) -> None:
        """Write down how far we have come. Raises `StoreError`; then the next save does it."""
        self.unsaved = 0
        cursors = [
            Cursor(lane.name, after, upto)
            for lane in (self._alarm, self._backlog, self._live)
            for after, upto in lane.left(self._watermark)
        ]
        cursors += [Cursor("resend", after, upto or 0) for after, upto in self._resend.left(None)]
        cursors += self.reach.cursors()
        if cursors == self._saved and not self._buried and not self._revived:
            return
        self._journal.save_cursors(self._uplink, cursors, buried=self._buried.items(), revived=self._revived)
        self._saved = cursors
        self._buried = {}
        self._revived = []

    def _ready(self, lane: _Lane, newest: int) -> bool:
        """Whether the lane has a row to send; one that is about to get its true time waits for it, though not long."""
        row = lane.peek(newest)
        if row is None or not self._journal.awaits_restamp(row):
            return row is not None
        if self._hold_until is None:
            self._hold_until = time.monotonic() + _LONGEST_HOLD
        return time.monotonic() >= self._hold_until

    def _take_up_restamped(self) -> None:
        if self._restamps != self._journal.restamps:
            self._restamps = self._journal.restamps
            self._hold_until = None
            for lane in self._in_order():
                lane.reread()

    def _parcel(self, lane: _Lane) -> Parcel:
        row = lane.take()
        return Parcel(row, lane.name, replay=row.seq <= self._boundary or lane is self._resend)

    def _in_order(self) -> tuple[_Lane, ...]:
        return (self._alarm, self._live, self._backlog, self._resend, self._dead)

    def _retry_dead(self, newest: int) -> None:
        if time.monotonic() >= self._next_retry and not self._dead.flying:
            self._dead.restart([(0, newest)])
            self._next_retry = time.monotonic() + _RETRY_DEAD

    def _load(self, wanted: frozenset[EventClass], from_now: bool) -> None:
        saved = self._journal.cursors(self._uplink)
        start = self._journal.last_seq if from_now and not saved else 0
        self.reach = Reach.find(self._journal, saved, wanted, start)
        for name, is_open in (("alarm", True), ("live", True), ("backlog", False), ("resend", False)):
            stretches = [(cursor.after, cursor.upto) for cursor in saved if cursor.lane == name]
            if not stretches and is_open:
                stretches = [(start, None)]
            self._lanes[name].restart(sorted(stretches, key=lambda stretch: stretch[0]))
        if self._watermark is not None:
            ours = (cursor.after for cursor in saved if cursor.lane in ("alarm", "live", "backlog"))
            self._watermark = min(ours, default=start)
        if from_now and not saved:  # before anything is recorded after it: the place must not move with a restart
            self.save()


def _compact(stretches: list[tuple[int, int | None]]) -> list[tuple[int, int | None]]:
    """Drop the empty ones, join those that touch and, beyond `_MOST_STRETCHES`, those that nearly do."""
    joined: list[tuple[int, int]] = []
    for after, upto in sorted((after, upto) for after, upto in stretches if upto is not None and after < upto):
        if joined and after <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(upto, joined[-1][1]))
        else:
            joined.append((after, upto))
    while len(joined) > _MOST_STRETCHES:
        index = min(range(1, len(joined)), key=lambda i: joined[i][0] - joined[i - 1][1])
        joined[index - 1 : index + 1] = [(joined[index - 1][0], joined[index][1])]
    return list(joined)
