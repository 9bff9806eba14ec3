"""What `data` of a check says: whom an entrance does not know, and how that ended."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from gateway.messages.common import (
    CheckId,
    CredentialRef,
    Holder,
    Moment,
    Place,
    PointName,
    RequestId,
    SourceFile,
    Uplink,
)


class Asked(Place):
    """Somebody whom the gateway does not know was refused and waits: look at them, then open or refuse.

    The refusal itself has the same `passage`.
    """

    reason: Literal["unknown", "uncertain"]
    expires_at: Annotated[Moment, Field(description="Without a result by then nobody answered.")]
    within_s: Annotated[int, Field(ge=10, description="The same in seconds after `time`, whoever sets the clock.")]


class CardCheck(Asked):
    method: Literal["card"]
    method_code: Literal["100101"]
    credential_ref: CredentialRef


class CarCheck(Asked):
    """Without `plate_no` and `candidate` no plate could be read, or the field policy keeps it."""

    method: Literal["plate"]
    plate_no: NotRequired[Annotated[str, Field(description="Follows `fields.plate_no`, like the next.")]]
    candidate: NotRequired[Annotated[str, Field(description="What a plate below the threshold may be.")]]
    source_file: NotRequired[SourceFile]


class Ended(TypedDict):
    point: PointName
    check: CheckId


class AdmittedByCommand(Ended):
    """A platform opened the point while the check was open."""

    outcome: Literal["admitted"]
    by: Literal["command"]
    ordered_by: Uplink
    request_id: RequestId


class AdmittedByCard(Ended):
    """Staff opened the point by a card of their own."""

    outcome: Literal["admitted"]
    by: Literal["card"]
    credential_ref: CredentialRef
    holder: NotRequired[Holder]


class Answered(Ended):
    """Staff at the box said so."""

    outcome: Literal["admitted", "refused"]
    by: Literal["operator"]
    operator: Annotated[str, Field(description="Their account at the box.")]


class Unanswered(Ended):
    """Nobody did anything about it."""

    outcome: Literal["unanswered"]
    by: Annotated[
        Literal["time", "newer", "stop"],
        Field(description="newer: too many waited at the point; stop: the gateway was stopped."),
    ]


CheckResult = AdmittedByCommand | AdmittedByCard | Answered | Unanswered
