"""人车查验: whom an entrance does not know, staff are asked to look at; and once it is told how that ended.

Rule: pure: events in, events out, and the time with them; how long a check is open is by the monotonic clock. What was
decided at the door stays decided. A check is asked for once while the same card or plate waits at a point, and ends
exactly once; memory is bounded however many are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from gateway.clock import Stamp
from gateway.cloudevent import local_time
from gateway.settings import Point
from gateway.types import Direction, Event, PointKind, Reason

MOST = 32  # open at one point; one more ends the oldest
STAFF = "staff"  # the kind of holders who let others in: 员工 or 物业 in a roster file
_CARDS = {"access.denied"}
_CARS = {"vehicle.denied", "vehicle.uncertain", "vehicle.no_plate"}
_OPENED_FROM_AFAR = {"access.remote_open", "vehicle.manual_release"}
_REASONS = {Reason.UNKNOWN, Reason.UNCERTAIN}
_SHOWN = ("credential_ref", "plate_no", "candidate")
_KEPT = ("point", "direction", "device", "method", "method_code", "reason", *_SHOWN, "source_file")


class Ending(StrEnum):
    """What a result says as its `outcome`."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Check:
    """One that is open. `shown`: the card or the plate, or the passage of a car whose plate cannot be read."""

    required: Event
    shown: str | None
    until: float  # monotonic


class Checks:
    """The open checks of every point that asks for them."""

    def __init__(self, points: Mapping[str, Point], zone: ZoneInfo) -> None:
        self._points = {name: point for name, point in points.items() if point.check_unknown}
        self._zone = zone
        self._open: dict[str, list[Check]] = {name: [] for name in self._points}

    def concern(self, point: str) -> bool:
        """Whether a check can be open at this point."""
        return point in self._points

    def hear(self, event: Event, at: Stamp) -> list[Event]:
        """What an event means for its point: a refusal may ask for a check, an opening admits all who wait there.

        The gateway cannot see whom of them a door was opened for.
        """
        told = self.expire(at)
        waiting = self._open.get(event.subject)
        if waiting is None:
            return told
        if (check := self._due(event, at)) is not None:
            if len(waiting) == MOST:
                told.append(_end(waiting.pop(0), Ending.UNANSWERED, {"by": "newer"}, at))
            waiting.append(check)
            told.append(check.required)
        elif (by := _who_opened(event)) is not None:
            told += self._end_all(waiting, Ending.ADMITTED, by, at)
        return told

    def answer(self, check: Check, outcome: Ending, account: str, at: Stamp) -> list[Event]:
        """Staff at the box say how an open check ended."""
        required = check.required
        self._open[required.subject].remove(check)
        data = {"by": account, "point": required.subject, "check": required.id, "outcome": outcome.value}
        audit = Event("audit.check_answered", required.subject, at, data)
        return [audit, _end(check, outcome, {"by": "operator", "operator": account}, at)]

    def open(self, ending: str = "") -> list[Check]:
        """The open checks whose id ends so, oldest first."""
        found = [check for waiting in self._open.values() for check in waiting if check.required.id.endswith(ending)]
        return sorted(found, key=lambda check: check.required.stamp.mono)

    def expire(self, at: Stamp) -> list[Event]:
        """End those whose time is up."""
        told = []
        for waiting in self._open.values():
            over = [check for check in waiting if check.until <= at.mono]
            for check in over:
                waiting.remove(check)
                told.append(_end(check, Ending.UNANSWERED, {"by": "time"}, at))
        return told

    def stop(self, at: Stamp) -> list[Event]:
        """The gateway stops, and nobody can answer any more."""
        told = self.expire(at)
        for waiting in self._open.values():
            told += self._end_all(waiting, Ending.UNANSWERED, {"by": "stop"}, at)
        return told

    def _due(self, event: Event, at: Stamp) -> Check | None:
        """The check that a refusal asks for, unless it is asked for already, or whoever it was has long gone."""
        point, data = self._points[event.subject], event.data
        is_car = event.name in _CARS
        if not is_car and event.name not in _CARDS:
            return None
        if is_car and point.kind is PointKind.PEDESTRIAN:  # it drives by: a plate opens nothing there either
            return None
        if data["reason"] not in _REASONS or data["direction"] == Direction.OUT:
            return None
        shown = next((str(data[key]) for key in _SHOWN if key in data), event.passage)
        until = min(event.stamp.mono, at.mono) + point.check_within  # a picture may say that it is from tomorrow
        if until <= at.mono or any(check.shown == shown for check in self._open[event.subject]):
            return None
        expires = event.stamp.time + timedelta(seconds=point.check_within)
        facts = _some(data, _KEPT)
        facts |= {"expires_at": local_time(expires, self._zone), "within_s": point.check_within}
        return Check(Event("check.required", event.subject, event.stamp, facts, event.passage), shown, until)

    @staticmethod
    def _end_all(waiting: list[Check], outcome: Ending, by: Mapping[str, Any], at: Stamp) -> list[Event]:
        ended = [_end(check, outcome, by, at) for check in waiting]
        waiting.clear()
        return ended


def _who_opened(event: Event) -> Mapping[str, Any] | None:
    """Who let them in: a platform by its command, or staff by a card of their own."""
    data = event.data
    if event.name in _OPENED_FROM_AFAR:
        return {"by": "command", **_some(data, ("ordered_by", "request_id"))}
    is_staff = event.name == "access.granted" and data.get("holder", {}).get("kind") == STAFF
    if is_staff and data["method"] == "card" and data["opened"]:
        return {"by": "card", **_some(data, ("holder", "credential_ref"))}
    return None


def _end(check: Check, outcome: Ending, by: Mapping[str, Any], at: Stamp) -> Event:
    """`check.result`. `by`: the key of that name, and what more there is to say of it."""
    required = check.required
    data = {"point": required.subject, "check": required.id, "outcome": outcome.value, **by}
    return Event("check.result", required.subject, at, data, required.passage)


def _some(data: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: data[key] for key in keys if key in data}
