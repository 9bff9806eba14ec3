"""One thread: observation → decision → actuator → event.

Rule: a door waits for nothing. The register is in memory, a grant pulses the actuator first and is recorded after, and
an actuator that does not answer costs the other points 0.5 s once.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, tzinfo
from functools import partial
from typing import Protocol

from gateway.accounts import (
    Outcome,
    attack_event,
    card_event,
    face_event,
    picture_fault_event,
    plate_event,
    verify_event,
)
from gateway.board import Board
from gateway.clock import ClockTrust, Stamp
from gateway.decide import decide_card, decide_face, decide_plate, face_may_open
from gateway.keys import Keys
from gateway.passage import Cars, Passages, WrongTries
from gateway.register import Register
from gateway.settings import PlateReading, Point
from gateway.types import (
    CardRead,
    Decision,
    Event,
    FaceSeen,
    Observation,
    PictureDone,
    PlateSeen,
    PointKind,
    Reason,
    Shot,
    Verdict,
)
from gateway.witness import Finding, Witness

log = logging.getLogger(__name__)

STALE_S = 2.0  # who was here longer ago may have gone: never open for them
ANSWER_S = 0.5  # longest wait for an order to reach the wire, and its echo: a driver gives a board 0.4 s for that
_HANG_S = 1.0  # how long an actuator that did not answer is not waited for
_WAITING = 256  # observations; then the readers wait


class Pulse(Protocol):
    """An order to an actuator."""

    def sent(self, timeout: float) -> bool:
        """Wait for the order to be on the wire; False where it is not, or not yet."""


class Opener(Protocol):
    """What opens a point: `gateway.worker.ActuatorWorker`."""

    def pulse(self, seconds: float) -> Pulse:
        """Order the relay on for so long; returns at once."""


class Record(Protocol):
    """Hands an event and its pictures to the recorder; never blocks. `then`: called once the event is on the disk."""

    def __call__(self, event: Event, then: Callable[[], None] | None = None, shots: Sequence[Shot] = ()) -> None: ...


class Doorkeeper:
    """Judges one observation after the other."""

    def __init__(
        self,
        *,
        points: Mapping[str, Point],
        register: Callable[[], Register],
        actuators: Mapping[str, Opener],
        record: Record,
        passages: Passages,
        plate: PlateReading,
        face_opens: Callable[[str], bool],
        keys: Keys,
        zone: tzinfo,
        board: Board,
        settle: Callable[[str, int], None],
    ) -> None:
        self._points = points
        self._register = register
        self._actuators = actuators
        self._record = record
        self._passages = passages
        self._plate = plate
        self._face_opens = face_opens
        self._keys = keys
        self._zone = zone
        self._board = board
        self._settle = settle
        self._waiting: queue.Queue[Observation | PictureDone] = queue.Queue(_WAITING)
        self._unanswered: dict[str, tuple[Pulse, float]] = {}  # by actuator: the order that timed out, and when
        self._wrong_tries = WrongTries()
        self._cars = Cars()
        self._witness = Witness()
        self._closed = threading.Event()

    def submit(self, observation: Observation | PictureDone) -> bool:
        """Hand over an observation; waits while the doorkeeper is behind. False once it has ended."""
        while not self._closed.is_set():
            try:
                self._waiting.put(observation, timeout=0.5)
            except queue.Full:
                self._board.count("doorkeeper.full")
                continue
            return True
        return False

    def run(self, stop: threading.Event) -> None:
        """Judge until `stop`, then what is still waiting."""
        self._closed.clear()
        try:
            while not stop.is_set() or not self._waiting.empty():
                self._board.beat("doorkeeper")
                self._verify(self._witness.overdue(time.monotonic()))
                try:
                    observation = self._waiting.get(timeout=0.2)
                except queue.Empty:
                    continue
                self._judge(observation)
        finally:
            self._closed.set()
            self._board.retire("doorkeeper")

    def _judge(self, observation: Observation | PictureDone) -> None:
        match observation:
            case PictureDone():
                self._picture(observation)
            case _ if observation.point not in self._points:
                self._board.count("doorkeeper.no_point")
                self._settled(observation)
            case CardRead():
                self._card(observation)
            case PlateSeen():
                self._vehicle(observation)
            case FaceSeen():
                self._face(observation)

    def _card(self, read: CardRead) -> None:
        point = self._points[read.point]
        register = self._register()
        decision = decide_card(register.by_credential(read.credential), read.point, self._day(read, register))
        outcome = self._act(read, decision, may_open=True)
        self._record(card_event(read, point, outcome, self._keys.credential_ref(read.credential)))
        if decision.verdict is Verdict.GRANT and decision.holder is not None:
            self._verify(self._witness.card(read, decision.holder, outcome.passage))
        if decision.reason is Reason.UNKNOWN and self._wrong_tries.add(read.point, read.stamp):
            self._record(attack_event(read, point, self._wrong_tries.limit, self._wrong_tries.window_s))

    def _vehicle(self, seen: PlateSeen) -> None:
        point = self._points[seen.point]
        register = self._register()
        if seen.plate is None:
            decision = Decision(Verdict.DENY, Reason.UNCERTAIN)
        else:
            decision = decide_plate(
                seen.plate,
                self._plate.threshold,
                register.by_plate(seen.plate.number),
                seen.point,
                self._day(seen, register),
                permission=self._plate.permission and point.kind is not PointKind.PEDESTRIAN,
            )
        certain = seen.plate is not None and decision.reason is not Reason.UNCERTAIN
        known = self._cars.known(seen, certain=certain, within_s=point.rearm_s)
        # A number plate never opens a door for people, whatever a camera there reads; nor does a second look at a car
        # that was let in.
        may_open = point.kind is not PointKind.PEDESTRIAN and not (known and known.opened)
        outcome = self._act(seen, decision, may_open=may_open, passage=known.passage if known else None)
        if certain and outcome.passage and (known is None or outcome.opened):
            self._cars.tell(seen, outcome.passage, opened=outcome.opened)
        event = plate_event(seen, point, outcome, evidence=known is not None)
        self._record(event, self._settling(seen), seen.shots)

    def _face(self, seen: FaceSeen) -> None:
        register = self._register()
        holder = register.by_ref(seen.subject)
        may_open = face_may_open(seen, self._face_opens(seen.point))
        decision = decide_face(holder, seen.point, self._day(seen, register), may_open)
        if holder is None:  # a template whose holder has left the roster: a stranger, and strangers are no event
            self._board.count("doorkeeper.face_without_holder")
            self._settled(seen)
            return
        outcome = self._act(seen, decision, may_open=may_open)
        self._keep(face_event(seen, self._points[seen.point], outcome), seen)
        self._verify(self._witness.face(seen, holder))

    def _verify(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            ref = self._keys.credential_ref(finding.read.credential)
            self._record(verify_event(finding, self._points[finding.read.point], ref))

    def _picture(self, done: PictureDone) -> None:
        if done.fault:
            self._keep(picture_fault_event(done), done)
        else:
            self._settled(done)

    def _act(self, seen: Observation, decision: Decision, *, may_open: bool, passage: str | None = None) -> Outcome:
        """Open if granted, and only then look at anything else. `passage`: the one it is known to belong to."""
        granted = decision.verdict is Verdict.GRANT
        latest = _latest(seen)
        fresh = latest.age() <= STALE_S
        opened = granted and may_open and fresh and self._open(seen.point)
        latency_ms = max(0, round(latest.age() * 1000))
        if granted and may_open and not fresh:
            self._board.count("doorkeeper.late")
        self._board.count(f"doorkeeper.{decision.verdict.value}")
        holder_id = decision.holder.id if decision.holder else None
        return Outcome(decision, opened, latency_ms, passage or self._passages.join(seen, holder_id))

    def _open(self, at: str) -> bool:
        """Pulse the point's actuator; whether the order is on the wire."""
        point = self._points[at]
        name = point.actuator
        if name is None or name not in self._actuators:
            return False
        patience = 0.0 if self._hangs(name) else ANSWER_S
        began = time.monotonic()
        pulse = self._actuators[name].pulse(point.open_s)
        if pulse.sent(patience):
            return True
        if time.monotonic() - began >= ANSWER_S:  # sooner means it said no: offline, which is no reason to hurry
            self._unanswered[name] = (pulse, time.monotonic())
        self._board.count("doorkeeper.not_opened")
        log.warning("granted at %s, but the order did not reach actuator %s", at, name)
        return False

    def _hangs(self, actuator: str) -> bool:
        """Whether it swallowed an order a moment ago; a queue of people there must not hold up the other points."""
        pulse, at = self._unanswered.get(actuator, (None, 0.0))
        if pulse is None or pulse.sent(0) or time.monotonic() - at > _HANG_S:
            self._unanswered.pop(actuator, None)
            return False
        return True

    def _day(self, seen: Observation, register: Register) -> date:
        """The day at the site. A box that started without a clock is at least as late as its roster."""
        day = seen.stamp.time.astimezone(self._zone).date()
        if seen.stamp.trust is ClockTrust.UNSYNCED and register.as_of is not None:
            return max(day, register.as_of)
        return day

    def _keep(self, event: Event, seen: Observation | PictureDone) -> None:
        self._record(event, self._settling(seen))

    def _settled(self, seen: Observation | PictureDone) -> None:
        """Nothing of this picture is owed any more."""
        if (settle := self._settling(seen)) is not None:
            settle()

    def _settling(self, seen: Observation | PictureDone) -> Callable[[], None] | None:
        """What is to be done then; None where nobody waits for it."""
        if isinstance(seen, CardRead) or seen.token is None:
            return None
        return partial(self._settle, seen.device, seen.token)


def _latest(seen: Observation) -> Stamp:
    """When it was last there. The frame in which a car is seen best may be older."""
    return seen.last_seen or seen.stamp if isinstance(seen, PlateSeen) else seen.stamp
