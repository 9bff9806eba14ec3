"""Hears every event on its way to the recorder, and tells which checks that asks for or ends (`checks.py`).

Rule: an event goes on before anything is made of it, so that no door and no command waits for a check. One lock keeps
a check from ending twice: doors, commands, staff and the clock may all end it at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from gateway.board import Board
from gateway.checks import Check, Checks, Ending
from gateway.clock import Stamp, now
from gateway.cloudevent import local_time
from gateway.doorkeeper import Record
from gateway.settings import Point
from gateway.text import on_one_line
from gateway.types import Event, Shot

_LOOK_S = 0.5  # how late the end of a check may be noticed
_ANSWERS = {Ending.ADMITTED.value: Ending.ADMITTED, Ending.REFUSED.value: Ending.REFUSED}
_LONGEST_NAME = 32  # characters of an account
_LEAST_SAID = 4  # characters of an id: one alone fits by chance


class Inspection:
    """`record` may be called from any thread; `run` is one thread's work."""

    def __init__(
        self,
        points: Mapping[str, Point],
        zone: ZoneInfo,
        record: Record,
        board: Board,
        stamp: Callable[[], Stamp] = now,
    ) -> None:
        self.is_wanted = any(point.check_unknown for point in points.values())
        self._checks = Checks(points, zone)
        self._zone = zone
        self._pass_on = record
        self._board = board
        self._stamp = stamp
        self._lock = threading.Lock()

    def record(self, event: Event, then: Callable[[], None] | None = None, shots: Sequence[Shot] = ()) -> None:
        """Pass an event on, and after it what it means for the checks of its point."""
        self._pass_on(event, then, shots)
        if self._checks.concern(event.subject):
            with self._lock:
                self._tell(self._checks.hear(event, self._stamp()))

    def run(self, stop: threading.Event) -> None:
        """End checks when their time is up, until `stop`; then those that are still open."""
        while not stop.is_set():
            self._board.beat("inspection")
            with self._lock:
                self._tell(self._checks.expire(self._stamp()))
            stop.wait(_LOOK_S)
        with self._lock:
            self._tell(self._checks.stop(self._stamp()))
        self._board.retire("inspection")

    def listed(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        """Somebody at the box wants to know what is open."""
        with self._lock:
            at = self._stamp()
            self._tell(self._checks.expire(at))
            return {"checks": [self._shown(check, at) for check in self._checks.open()]}

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Somebody at the box says how one ended, named by the end of its id. `checks`: those that fit."""
        outcome, ending = _ANSWERS.get(str(asked.get("outcome"))), str(asked.get("check", ""))
        account = on_one_line(str(asked.get("by", "?")))[:_LONGEST_NAME]
        with self._lock:
            at = self._stamp()
            self._tell(self._checks.expire(at))
            found = self._checks.open(ending) if len(ending) >= _LEAST_SAID else []
            shown = [self._shown(check, at) for check in found]
            if len(found) == 1 and outcome is not None:
                self._tell(self._checks.answer(found[0], outcome, account, at))
        return {"checks": shown}

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self._pass_on(event)

    def _shown(self, check: Check, at: Stamp) -> dict[str, Any]:
        required = check.required
        shown = {"check": required.id, "since": local_time(required.stamp.time, self._zone)}
        return {**shown, "left_s": round(check.until - at.mono), "passage": required.passage, **required.data}
