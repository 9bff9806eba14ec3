"""What `data` says, event by event.

Rule: a key that the field policy may take out is not required; `DATA` has every event that the gateway can emit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from gateway.messages.audits import (
    CheckAnswered,
    Checkpoint,
    ClockSet,
    CommandAudit,
    FaceEnrolled,
    FaceErased,
    RosterChanged,
)
from gateway.messages.checks import CarCheck, CardCheck, CheckResult
from gateway.messages.common import (
    Count,
    CredentialRef,
    DeviceName,
    Holder,
    Moment,
    Place,
    PointName,
    RequestId,
    Share,
    SourceFile,
    Uplink,
)
from gateway.settings import Position
from gateway.types import DeviceStatus, EventClass, Reason

Box = Annotated[
    list[int], Field(min_length=4, max_length=4, description="Left, top, right, bottom in pixels of the picture.")
]
Severity = Annotated[int, Field(ge=1, le=4)]
AlarmState = Literal["raised", "updated", "cleared"]
Assurance = Annotated[Literal["low", "medium", "high"], Field(description="Of the face model, by its card.")]
Liveness = Annotated[str, Field(description="none, or passive:{model}:{score}.")]


class Judged(Place):
    """What was decided, and done."""

    granted: bool
    reason: Reason
    opened: Annotated[bool, Field(description="The order to open went out on the wire.")]
    latency_ms: Annotated[Count, Field(description="From the last byte, or the best frame, to that order.")]
    holder: NotRequired[Holder]


class CardDecision(Judged):
    """A card was presented."""

    method: Literal["card"]
    method_code: Literal["100101"]
    credential_ref: CredentialRef


class FaceRecognition(Judged):
    """An enrolled face was recognised. Strangers are no event."""

    method: Literal["face"]
    method_code: Literal["100201"]
    similarity: float
    threshold: float
    gallery_size: Count
    assurance: Assurance
    liveness: Liveness
    reads: Count
    source_file: NotRequired[SourceFile]


class Remote(Place):
    """Opened by a command of a platform."""

    method: Literal["remote"]
    method_code: Literal["100302"]
    granted: Literal[True]
    reason: Literal["command"]
    opened: Literal[True]
    latency_ms: Count
    ordered_by: Uplink
    request_id: RequestId


class Vehicle(Judged):
    """A vehicle before a camera."""

    method: Literal["plate"]
    reads: Annotated[Count, Field(description="Frames that were read.")]
    box: Box | None
    first_seen_ms: NotRequired[Annotated[int, Field(description="First look, relative to `time`.")]]
    last_seen_ms: NotRequired[Annotated[int, Field(description="Last look, relative to `time`.")]]
    capture: NotRequired[
        Annotated[
            str | None, Field(description="Names the picture of that frame, for `capture.get`; null: none is kept.")
        ]
    ]
    source_file: NotRequired[SourceFile]


class ReadVehicle(Vehicle):
    """Its plate was read. `plate_class` and `plate_color` are codes of GA/T 1400."""

    raw: NotRequired[Annotated[str, Field(description="As the recogniser gave it; follows `fields.plate_no`.")]]
    plate_class: str
    plate_color: str
    confidence: Share
    char_confidence: list[Share]
    corrected: NotRequired[Annotated[Literal[True], Field(description="O became 0, or I became 1.")]]
    colour_mismatch: NotRequired[Literal[True]]
    emergency: NotRequired[Literal[True]]


class KnownVehicle(ReadVehicle):
    plate_no: NotRequired[Annotated[str, Field(description="Clear, masked, hashed (`p:…`) or absent, by the policy.")]]


class UncertainVehicle(ReadVehicle):
    """Read below the threshold: nothing opens."""

    candidate: NotRequired[Annotated[str, Field(description="What it may be; follows `fields.plate_no`.")]]


class CredentialAttack(Place):
    """Too many unknown cards at one point."""

    state: Literal["raised"]
    severity: Severity
    tries: Count
    window_s: float
    position: NotRequired[Position]


class JournalDamaged(TypedDict):
    """The journal's file was damaged and has been mended; a `loss` event names what could not be."""

    state: Literal["raised"]
    severity: Severity
    cause: str


class JournalUnwritable(TypedDict):
    """Events could not be kept for a while; they are again."""

    state: Literal["cleared"]
    severity: Severity
    seconds: float
    cause: str


class StorageLow(TypedDict):
    """The disk runs short of space."""

    state: AlarmState
    severity: Severity
    free: Annotated[Count, Field(description="Bytes.")]


class ClockDrift(TypedDict):
    """The clock is, or was, more than 5 s wrong."""

    state: AlarmState
    severity: Severity
    offset_s: float
    cause: NotRequired[Annotated[Literal["jump", "offset"], Field(description="offset: its time source says so.")]]


class Verified(Place):
    """A face and a card at one point within 10 s. `device` read the card, `camera` saw the face."""

    method: Literal["face"]
    method_code: Literal["100201"]
    camera: DeviceName
    credential_ref: CredentialRef
    holder: NotRequired[Annotated[Holder, Field(description="The card's.")]]
    similarity: float
    threshold: float
    gallery_size: Count
    assurance: Assurance
    liveness: Liveness


class Somebody(TypedDict):
    holder: NotRequired[Holder]


class Contradicted(Verified):
    """Somebody else than the card's holder was recognised, and the holder was not."""

    other: Annotated[Somebody, Field(description="Whose face it was.")]


class DeviceChange(TypedDict):
    """A device came or went. With `source_file` it is one picture that could not be judged."""

    device: DeviceName
    kind: Literal["reader", "camera", "actuator"]
    point: PointName | None
    status: DeviceStatus
    detail: Annotated[str, Field(description="For people: what is wrong and what to do.")]
    source_file: NotRequired[SourceFile]


Loss = TypedDict(
    "Loss",
    {
        "class": Annotated[EventClass | Literal["*"], Field(description="`*`: of any class.")],
        "from": Annotated[int | None, Field(description="Null: these events never had a sequence.")],
        "to": int | None,
        "count": Count,
        "unsent": NotRequired[Annotated[Count, Field(description="How many of them some platform had not got yet.")]],
        "cause": Annotated[str, Field(description="retention, budget, space, damage, overflow, refused.")],
        "first_time": NotRequired[Moment],
        "last_time": NotRequired[Moment],
    },
)
Loss.__doc__ = "Events that are gone: the sequences from `from` to `to` of one class, as far as they were of it."

DATA: Mapping[str, Any] = {
    "access.granted": CardDecision | FaceRecognition,
    "access.denied": CardDecision,
    "access.recognised": FaceRecognition,
    "access.remote_open": Remote,
    "vehicle.passed": KnownVehicle,
    "vehicle.denied": KnownVehicle,
    "vehicle.uncertain": UncertainVehicle,
    "vehicle.no_plate": Vehicle,
    "vehicle.manual_release": Remote,
    "alarm.credential_attack": CredentialAttack,
    "alarm.journal_damaged": JournalDamaged,
    "alarm.journal_unwritable": JournalUnwritable,
    "alarm.storage_low": StorageLow,
    "alarm.clock_drift": ClockDrift,
    "verify.match": Verified | KnownVehicle | UncertainVehicle,
    "verify.mismatch": Contradicted,
    "check.required": CardCheck | CarCheck,
    "check.result": CheckResult,
    "device.online": DeviceChange,
    "device.offline": DeviceChange,
    "device.fault": DeviceChange,
    "loss": Loss,
    "audit.command": CommandAudit,
    "audit.check_answered": CheckAnswered,
    "audit.checkpoint": Checkpoint,
    "audit.clock_set": ClockSet,
    "audit.face_enrolled": FaceEnrolled,
    "audit.face_erased": FaceErased,
    "audit.roster_changed": RosterChanged,
}
