"""One thread per device: connect, work, lost, connect again.

Its rule: this is the only retry loop and the only place that catches every exception; a driver's bug is a fault of that
device and never the end of its thread.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import closing

from gateway.board import Board
from gateway.clock import Stamp, now
from gateway.contracts import Actuator, Reader, WatchfulReader
from gateway.credentials import Credential
from gateway.errors import BadFrame, DeviceLost
from gateway.presence import Complaints, Presence
from gateway.settings import Reader as ReaderSettings
from gateway.text import Language, Text
from gateway.types import CardRead, DeviceStatus

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
_CONNECT_S = 60.0  # opening may wait for a serial server or a name server: no reason to restart the doors
_STOOD_STILL_S = 2.0  # a look at a reader takes half a second: longer, this process was frozen
_BLOCK_S = 0.25  # how long a wait may go without a look at `stop`


class DeviceWorker(ABC):
    """Keeps one device open. `run` ends only by `stop`."""

    kind: str

    def __init__(self, name: str, point: str | None, board: Board, language: Language = Language.EN) -> None:
        self._name = name
        self._language = language  # of what the board says; the log is English
        self._point = point
        self._board = board
        self._status: DeviceStatus | None = None
        self._presence = Presence()
        self._complaints = Complaints()
        self._complaint: Text | None = None  # as reported

    def run(self, stop: threading.Event) -> None:
        """Serve the device until `stop`; back-off 0.5 → 5 s, from the start again after a session that worked."""
        pause = _FIRST_PAUSE_S
        while not stop.is_set():
            self._board.beat(self._part, allowed_age=_CONNECT_S)
            try:
                self._serve(stop)
            except DeviceLost as error:
                self._report(DeviceStatus.OFFLINE, str(error), error.say(self._language))
            except Exception as error:  # noqa: BLE001 - the roof of a device's thread
                self._report(DeviceStatus.FAULT, _where(error))
            if self._presence.end() > _FIRST_PAUSE_S:
                pause = _FIRST_PAUSE_S
            self._rest(pause * random.uniform(0.7, 1.0), stop)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        self._board.retire(self._part)

    def _has_worked(self, said: Text | None = None) -> None:
        """It is open, or did a round; `said` is what it complains of."""
        self._presence.open()
        complaint = self._complaints.standing(said)
        status = DeviceStatus.ONLINE if complaint is None else DeviceStatus.FAULT
        if self._presence.is_there and (self._status is not status or self._complaint != complaint):
            self._report(status, str(complaint or ""), complaint.say(self._language) if complaint else None)
        self._complaint = complaint

    @abstractmethod
    def _serve(self, stop: threading.Event) -> None:
        """Connect and work until `stop`. Raises whatever the driver raises."""

    @property
    def _part(self) -> str:
        return f"{self.kind}:{self._name}"

    def _report(self, status: DeviceStatus, detail: str = "", said: str | None = None) -> None:
        if status is not self._status:  # the retries of a long absence are not worth a line each
            level = logging.INFO if status is DeviceStatus.ONLINE else logging.WARNING
            _log.log(level, "%s %s is %s%s", self.kind, self._name, status, f": {detail}" if detail else "")
        self._status = status
        self._board.device(self._name, self.kind, self._point, status, detail if said is None else said)

    def _rest(self, seconds: float, stop: threading.Event) -> None:
        end = time.monotonic() + seconds
        while not stop.is_set() and (left := end - time.monotonic()) > 0:
            self._board.beat(self._part)
            stop.wait(min(left, _BLOCK_S))


def _where(error: Exception) -> str:
    """A bug by kind and place. Not by message: that may quote a card."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"bug: {type(error).__name__} at {at.filename}:{at.lineno}"


def _complaint_of(reader: Reader) -> Text | None:
    return reader.complaint() if isinstance(reader, WatchfulReader) else None


def _earliest(looked: Stamp) -> Stamp:
    """When what was just read may have come: now, or at the last look where that was long ago."""
    return looked if looked.age() > _STOOD_STILL_S else now()


class Presentations:
    """Debounce: the same card within `hold_s` of its last frame is one presentation; other cards are not delayed."""

    _MOST = 64  # cards remembered

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._last: OrderedDict[Credential, float] = OrderedDict()

    def is_new(self, card: Credential, at: float) -> bool:
        """Whether a frame begins a presentation. `at` is monotonic seconds."""
        last = self._last.pop(card, None)
        self._last[card] = at
        if len(self._last) > self._MOST:
            self._last.popitem(last=False)
        return last is None or at - last >= self._hold_s


class ReaderWorker(DeviceWorker):
    """Reads cards and hands each presentation to `observe`, which may block while its queue is full."""

    kind = "reader"

    def __init__(
        self,
        name: str,
        settings: ReaderSettings,
        connect: Callable[[], Reader],
        observe: Callable[[CardRead], object],
        board: Board,
        language: Language = Language.EN,
    ) -> None:
        super().__init__(name, settings.point, board, language)
        self._at_point = settings.point
        self._connect = connect
        self._observe = observe
        self._presentations = Presentations(settings.hold_s)

    def _serve(self, stop: threading.Event) -> None:
        with closing(self._connect()) as reader:
            self._has_worked(_complaint_of(reader))
            looked = now()
            while not stop.is_set():
                results = reader.read()
                # Who was shown while this process stood still may have gone: that counts from the last look.
                stamp, looked = _earliest(looked), now()
                self._has_worked(_complaint_of(reader))
                self._board.beat(self._part)
                for result in results:
                    self._take(result, stamp)

    def _take(self, result: Credential | BadFrame, stamp: Stamp) -> None:
        counter = f"reader.{self._name}"
        if isinstance(result, BadFrame):
            self._board.count(f"{counter}.bad.{result.reason}")
            _log.debug("reader %s: bad frame: %s", self._name, result)
        elif self._presentations.is_new(result, stamp.mono):
            self._board.count(f"{counter}.cards")
            self._observe(CardRead(self._at_point, self._name, stamp, result))
        else:
            self._board.count(f"{counter}.repeats")


class Pulse:
    """One order to open, on its way to the relay. Who gave it up, or gave it too long ago, may have walked on."""

    _LONGEST_WAIT_S = 2.0

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ordered = time.monotonic()
        self._lock = threading.Lock()
        self._given_up = False
        self._settled = threading.Event()
        self._sent = False

    def sent(self, timeout: float) -> bool:
        """Whether the order went out on the wire. One that did not within `timeout` is given up: False."""
        if not self._settled.wait(timeout):
            with self._lock:
                self._given_up = True
        return self._sent

    def take(self) -> bool:
        """The relay's thread begins with it; False where it must not any more."""
        with self._lock:
            fresh = not self._given_up and time.monotonic() - self._ordered <= self._LONGEST_WAIT_S
        if not fresh:
            self.settle(sent=False)
        return fresh

    def settle(self, sent: bool) -> None:
        """Tell how it ended; the first word counts."""
        if not self._settled.is_set():
            self._sent = sent
            self._settled.set()


class ActuatorWorker(DeviceWorker):
    """Holds a relay on for as long as its pulses last. Whatever happens, it is switched off first and last."""

    kind = "actuator"
    _MOST_WAITING = 64
    _IDLE_CHECK_S = 5.0  # an idle relay is told "off" again so often, which finds a lost board before a person does

    def __init__(
        self,
        name: str,
        point: str | None,
        connect: Callable[[], Actuator],
        board: Board,
        language: Language = Language.EN,
    ) -> None:
        super().__init__(name, point, board, language)
        self._connect = connect
        self._changed = threading.Condition()
        self._waiting: deque[Pulse] = deque()
        self._ready = False

    def pulse(self, seconds: float) -> Pulse:
        """Order the relay on for `seconds` from the moment it switches; pulses that overlap extend. Never blocks.

        While the device is away the pulse has failed when this returns.
        """
        pulse = Pulse(seconds)
        with self._changed:
            if self._ready and len(self._waiting) < self._MOST_WAITING:
                self._waiting.append(pulse)
                self._changed.notify()
            else:
                pulse.settle(sent=False)
        return pulse

    def _serve(self, stop: threading.Event) -> None:
        with closing(self._connect()) as relay:
            relay.switch(on=False)
            self._has_worked()
            with self._changed:
                self._ready = True
            try:
                self._obey(relay, stop)
            finally:
                self._fail_waiting()
            relay.switch(on=False)

    def _obey(self, relay: Actuator, stop: threading.Event) -> None:
        until: float | None = None  # when the relay goes off
        ordered = time.monotonic()
        while not stop.is_set():
            self._has_worked()
            self._board.beat(self._part)
            pulse = self._next_pulse(until)
            at = time.monotonic()
            if pulse is not None and not pulse.take():
                self._board.count(f"actuator.{self._name}.too_late")
            elif pulse is not None:
                self._switch_on(relay, pulse)
                ordered = time.monotonic()
                until = max(until or 0.0, ordered + pulse.seconds)
            elif (until is not None and at >= until) or (until is None and at - ordered > self._IDLE_CHECK_S):
                relay.switch(on=False)
                until, ordered = None, at

    def _next_pulse(self, until: float | None) -> Pulse | None:
        wait = _BLOCK_S if until is None else max(0.0, min(_BLOCK_S, until - time.monotonic()))
        with self._changed:
            if not self._waiting:
                self._changed.wait(wait)
            return self._waiting.popleft() if self._waiting else None

    def _switch_on(self, relay: Actuator, pulse: Pulse) -> None:
        try:
            relay.switch(on=True)
            pulse.settle(sent=True)
        finally:
            pulse.settle(sent=False)

    def _fail_waiting(self) -> None:
        with self._changed:
            self._ready = False
            while self._waiting:
                self._waiting.popleft().settle(sent=False)
