"""What happened, in the words of the contract: observation + decision → Event.

Rule: pure. A card number never enters an event (`credential_ref` does); `holder.id` is for this box alone and is taken
out on the way to any uplink.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.board import DeviceState
from gateway.clock import Stamp
from gateway.decide import is_emergency
from gateway.settings import Point
from gateway.types import (
    Box,
    CardRead,
    Decision,
    DeviceStatus,
    Direction,
    Event,
    FaceSeen,
    Holder,
    Observation,
    PictureDone,
    Plate,
    PlateSeen,
    Reason,
    Verdict,
)
from gateway.witness import Finding, Mismatch

METHOD_CARD = {"method": "card", "method_code": "100101"}
METHOD_FACE = {"method": "face", "method_code": "100201"}
METHOD_PLATE = {"method": "plate"}
METHOD_REMOTE = {"method": "remote", "method_code": "100302"}
_ATTACK_SEVERITY = 3  # 1 to 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided and done. `opened`: the order to the actuator went out on the wire."""

    decision: Decision
    opened: bool
    latency_ms: int  # from the last byte, or the last frame looked at, to the order or the decision
    passage: str | None


def card_event(read: CardRead, point: Point, outcome: Outcome, credential_ref: str) -> Event:
    """`access.granted` or `access.denied`."""
    granted = outcome.decision.verdict is Verdict.GRANT
    data = {**_place(read, point), **METHOD_CARD, **_outcome(outcome), "credential_ref": credential_ref}
    return Event("access.granted" if granted else "access.denied", read.point, read.stamp, data, outcome.passage)


def plate_event(seen: PlateSeen, point: Point, outcome: Outcome, *, evidence: bool = False) -> Event:
    """`vehicle.passed`, `denied`, `uncertain` (the number is then only a `candidate`) or `no_plate`.

    As `evidence`, `verify.match`: a second camera of the point saw the car of a passage that was told before.
    """
    data = {**_place(seen, point), **METHOD_PLATE, **_outcome(outcome), "reads": seen.reads, "box": _corners(seen.box)}
    data["capture"] = None  # until a picture is kept (`captures.py`)
    if point.direction is Direction.BOTH and seen.direction is not None:
        data["direction"] = seen.direction.value
    data |= _in_view(seen)
    if seen.plate is None:
        name = "vehicle.no_plate"
    else:
        uncertain = outcome.decision.reason is Reason.UNCERTAIN
        granted = outcome.decision.verdict is Verdict.GRANT
        name = "vehicle.uncertain" if uncertain else "vehicle.passed" if granted else "vehicle.denied"
        if evidence:
            name = "verify.match"
        data |= {"candidate" if uncertain else "plate_no": seen.plate.number, **_plate(seen.plate)}
    return Event(name, seen.point, seen.stamp, {**data, **_source(seen.source_file)}, outcome.passage, seen.origin)


def face_event(seen: FaceSeen, point: Point, outcome: Outcome) -> Event:
    """`access.recognised` where a face may not open, `access.granted` where it did."""
    granted = outcome.decision.verdict is Verdict.GRANT
    data = {
        **_place(seen, point),
        **METHOD_FACE,
        **_outcome(outcome),
        **_likeness(seen),
        "reads": seen.reads,
        **_source(seen.source_file),
    }
    name = "access.granted" if granted else "access.recognised"
    return Event(name, seen.point, seen.stamp, data, outcome.passage, seen.origin)


def verify_event(finding: Finding, point: Point, credential_ref: str) -> Event:
    """`verify.match` or `verify.mismatch`: what a face says of the card that was shown at the same point.

    `camera` saw the face; `other` is whose face it was where it was not the card's holder's.
    """
    data = {
        **_place(finding.read, point),
        **METHOD_FACE,
        "camera": finding.seen.device,
        "credential_ref": credential_ref,
        "holder": _holder(finding.holder),
        **_likeness(finding.seen),
    }
    if isinstance(finding, Mismatch):
        data["other"] = {"holder": _holder(finding.other)}
    name = "verify.mismatch" if isinstance(finding, Mismatch) else "verify.match"
    return Event(name, finding.read.point, finding.read.stamp, data, finding.passage)


def attack_event(read: CardRead, point: Point, tries: int, window_s: float) -> Event:
    """`alarm.credential_attack`: too many unknown cards at one point."""
    data: dict[str, Any] = {
        **_place(read, point),
        "state": "raised",
        "severity": _ATTACK_SEVERITY,
        "tries": tries,
        "window_s": window_s,
    }
    if point.position is not None:
        data["position"] = point.position.model_dump()
    return Event("alarm.credential_attack", read.point, read.stamp, data)


def remote_event(name: str, at: str, point: Point, stamp: Stamp, facts: Mapping[str, Any]) -> Event:
    """`access.remote_open` or `vehicle.manual_release`: opened by a command. `facts`: who ordered it, how fast."""
    data = {"point": at, "direction": point.direction.value, "device": point.actuator, **METHOD_REMOTE}
    return Event(name, at, stamp, {**data, "granted": True, "reason": "command", "opened": True, **facts})


def device_event(state: DeviceState) -> Event:
    """`device.online`, `device.offline` or `device.fault`, as the board reports it."""
    data = {
        "device": state.name,
        "kind": state.kind,
        "point": state.point,
        "status": state.status.value,
        "detail": state.detail,
    }
    return Event(f"device.{state.status.value}", state.name, state.since, data)


def picture_fault_event(done: PictureDone) -> Event:
    """`device.fault` for a still that could not be judged, so that it is not lost in silence."""
    data = {
        "device": done.device,
        "kind": "camera",
        "point": done.point,
        "status": DeviceStatus.FAULT.value,
        "detail": done.fault,
        "source_file": done.source_file,
    }
    return Event("device.fault", done.device, done.stamp, data, origin=done.origin)


def _place(observation: Observation, point: Point) -> dict[str, Any]:
    return {"point": observation.point, "direction": point.direction.value, "device": observation.device}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    data: dict[str, Any] = {
        "granted": outcome.decision.verdict is Verdict.GRANT,
        "reason": outcome.decision.reason.value,
        "opened": outcome.opened,
        "latency_ms": outcome.latency_ms,
    }
    if outcome.decision.holder is not None:
        data["holder"] = _holder(outcome.decision.holder)
    return data


def _likeness(seen: FaceSeen) -> dict[str, Any]:
    return {
        "similarity": round(seen.similarity, 4),
        "threshold": round(seen.threshold, 4),
        "gallery_size": seen.gallery_size,
        "assurance": seen.assurance,
        "liveness": seen.liveness,
    }


def _holder(holder: Holder) -> dict[str, str]:
    fields = (("id", holder.id), ("ref", holder.ref), ("kind", holder.kind), ("category", holder.category))
    return dict((*fields, ("room", holder.room)))


def _plate(plate: Plate) -> dict[str, Any]:
    data: dict[str, Any] = {
        "raw": plate.raw,
        "plate_class": plate.plate_class,
        "plate_color": plate.plate_color,
        "confidence": round(plate.confidence, 4),
        "char_confidence": [round(confidence, 3) for confidence in plate.char_confidence],
    }
    marks = {
        "corrected": plate.corrected,
        "colour_mismatch": plate.colour_mismatch,
        "emergency": is_emergency(plate),
    }
    return data | {name: True for name, there in marks.items() if there}


def _corners(box: Box | None) -> list[int] | None:
    """Left, top, right, bottom in pixels of the picture."""
    return None if box is None else [round(edge) for edge in (box.left, box.top, box.right, box.bottom)]


def _in_view(seen: PlateSeen) -> Mapping[str, int]:
    """When it was first and last seen, in milliseconds before (-) and after the moment of the event.

    By the monotonic clock: a wall clock that is set meanwhile, or restamped afterwards, changes nothing.
    """
    moments = {"first_seen_ms": seen.first_seen, "last_seen_ms": seen.last_seen}
    return {name: round((at.mono - seen.stamp.mono) * 1000) for name, at in moments.items() if at is not None}


def _source(source_file: str | None) -> Mapping[str, str]:
    return {} if source_file is None else {"source_file": source_file}
