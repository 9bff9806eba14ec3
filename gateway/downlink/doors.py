"""Opening from afar: a command of the platform pulses the actuator of one point.

Rule: the same relay and the same time as for a card, at points that exist, have an actuator and fit the command. What
did not reach the wire at once never opens later.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.accounts import remote_event
from gateway.clock import now
from gateway.doorkeeper import Opener, Record
from gateway.downlink.answers import Answer, Code, Refusal
from gateway.settings import Point
from gateway.text import Text
from gateway.types import CommandName, PointKind

_ANSWER_S = 0.5  # longest wait for the order to reach the wire
_OPENS = {
    CommandName.DOOR_OPEN: ("access.remote_open", {PointKind.PEDESTRIAN, PointKind.MIXED}),
    CommandName.BARRIER_OPEN: ("vehicle.manual_release", {PointKind.VEHICLE, PointKind.MIXED}),
}


@dataclass(frozen=True, slots=True)
class Doors:
    """The points and what opens them."""

    points: Mapping[str, Point]
    actuators: Mapping[str, Opener]
    record: Record

    def open(self, command: CommandName, at: str, ordered_by: str, request_id: str, arrived: float) -> Answer:
        """Open now; `arrived` is monotonic. Raises `Refusal`."""
        event_name, kinds = _OPENS[command]
        point = self.points.get(at)
        if point is None:
            names = ", ".join(sorted(self.points)) or "–"
            words = Text("没有此通行点；可用：{names}", "there is no such point; known: {names}").with_(names=names)
            raise Refusal(Code.UNKNOWN_POINT, words)
        if point.kind not in kinds:
            words = Text("{at} 是 {kind}，不适用 {command}", "{at} is a {kind} point; {command} does not fit it")
            raise Refusal(Code.WRONG_KIND, words.with_(at=at, kind=point.kind.value, command=command.value))
        opener = self.actuators.get(point.actuator or "")
        if opener is None:
            raise Refusal(Code.NO_ACTUATOR, Text("{at} 没有执行器", "{at} has no actuator").with_(at=at))
        if not opener.pulse(point.open_s).sent(_ANSWER_S):
            words = Text("执行器 {name} 没有响应，未打开", "the actuator {name} does not answer; nothing was opened")
            raise Refusal(Code.DEVICE_OFFLINE, words.with_(name=point.actuator))
        latency_ms = round((time.monotonic() - arrived) * 1000)
        facts = {"latency_ms": latency_ms, "ordered_by": ordered_by, "request_id": request_id}
        self.record(remote_event(event_name, at, point, now(), facts))
        return Answer(Code.DONE, result={"point": at, "opened": True, "open_s": point.open_s})
