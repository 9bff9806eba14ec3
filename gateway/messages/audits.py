"""What `data` of an audit event says: orders, faces, checks, the clock, the chain."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from gateway.messages.common import Account, BootId, CheckId, Count, CredentialRef, Holder, PointName, RequestId, Uplink
from gateway.types import EventClass

CommandAudit = TypedDict(
    "CommandAudit",
    {
        "command": Annotated[str | None, Field(description="Null where the message could not be read.")],
        "request_id": NotRequired[RequestId],
        "dataset": NotRequired[str],
        "ok": bool,
        "code": Annotated[str, Field(description="See `reply`.")],
        "ordered_by": Uplink,
        "point": NotRequired[PointName],
        "from": NotRequired[int],
        "to": NotRequired[int],
        "holder": NotRequired[Holder],
        "credential_ref": NotRequired[CredentialRef],
        "capture": NotRequired[Annotated[str, Field(description="Which picture was asked for.")]],
        "kind": NotRequired[Literal["plate", "scene"]],
        "erased": NotRequired[Annotated[Count, Field(description="Face templates.")]],
        "version": NotRequired[int],
        "added": NotRequired[Count],
        "updated": NotRequired[Count],
        "removed": NotRequired[Count],
        "unchanged": NotRequired[Count],
    },
)
CommandAudit.__doc__ = "An order of a platform, obeyed or refused."


class ChainEnd(TypedDict):
    """Where a chain was cut: its rows up to here are gone, and the rest begins with this hash."""

    upto: int
    hash: str


Checkpoint = TypedDict(
    "Checkpoint",
    {
        "class": EventClass,
        "from": int,
        "to": int,
        "count": Count,
        "chains": Annotated[dict[str, ChainEnd], Field(description="By class.")],
    },
)
Checkpoint.__doc__ = "Rows of a chained class went by age; the chain goes on from here."


class ClockSet(TypedDict):
    """The clock was set, and the events of that boot got their true time."""

    boot_id: BootId
    booted_at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    count: Count
    shift_s: Annotated[float, Field(description="By how much their time was wrong.")]


class Consent(TypedDict):
    version: str
    channel: str
    ref: Annotated[str, Field(description="Where the paper, or the record, is.")]
    time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    by_guardian: bool


class FaceEnrolled(TypedDict):
    """A face was enrolled, with consent."""

    holder: NotRequired[Holder]
    consent: Consent
    model: str
    enrolled: Annotated[Count, Field(description="Templates.")]


class FaceErased(TypedDict):
    """A holder's face templates were erased."""

    holder: NotRequired[Holder]
    reason: str
    erased: NotRequired[Count]


class RosterChanged(TypedDict):
    """The roster was changed by a command at the box."""

    by: Account
    added: Count
    updated: Count
    removed: Count
    holder: NotRequired[Annotated[Holder, Field(description="Where it was one holder.")]]


class CheckAnswered(TypedDict):
    """Staff at the box said how a check ended; `check.result` says it, too."""

    by: Account
    point: PointName
    check: CheckId
    outcome: Literal["admitted", "refused"]
