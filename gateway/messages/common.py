"""The values that many messages have."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from gateway.types import Direction

Sequence = Annotated[int, Field(ge=1, description="The event's sequence, gap-free per gateway across restarts.")]
Moment = Annotated[
    str,
    Field(
        description="ISO 8601 with milliseconds and offset.",
        json_schema_extra={"format": "date-time"},
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}[+-]\d{2}:\d{2}$",
    ),
]
BootId = Annotated[str, Field(description="The kernel's id of a boot: a new one whenever the box starts.")]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
PointName = Annotated[str, Field(description="A name of `points` in the catalog.")]
DeviceName = Annotated[str, Field(description="A name of `devices` in the catalog.")]
HolderRef = Annotated[str, Field(pattern="^h:[0-9a-f]{16}$", description="Keyed hash of a holder's id.")]
CredentialRef = Annotated[str, Field(pattern="^c:[0-9a-f]{16}$", description="Keyed hash of a card number.")]
RequestId = Annotated[str, Field(description="The command's request id, `?` where it was none.")]
Uplink = Annotated[str, Field(description="The name of an uplink in the gateway's configuration.")]
CheckId = Annotated[str, Field(description="The id of the event `check.required`.")]
Account = Annotated[str, Field(description="The account at the box that gave the command.")]
SourceFile = Annotated[
    str, Field(description="The camera's own name of the picture; a plate in it follows the policy.")
]


class Place(TypedDict):
    point: PointName
    direction: Direction
    device: DeviceName


class Holder(TypedDict, total=False):
    """Who it was. Which keys are there is the uplink's field policy (`fields.holder`, `fields.room`)."""

    id: Annotated[str, Field(description="The roster's own id: only where `fields.holder` is `clear`.")]
    ref: HolderRef
    kind: Annotated[str, Field(description="resident, visitor, staff …")]
    category: Annotated[str, Field(description="owner, tenant, family …")]
    room: Annotated[str, Field(description="In clear, masked (`3-***`) or hashed (`r:…`), by `fields.room`.")]
