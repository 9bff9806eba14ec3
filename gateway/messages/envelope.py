"""The envelope around every event: CloudEvents 1.0 in structured JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from gateway.clock import ClockTrust
from gateway.messages.common import BootId, Moment, Sequence


class Envelope(TypedDict):
    """One event. Sent again, it is the same but for `replay`."""

    specversion: Literal["1.0"]
    id: Annotated[str, Field(description="Made once. Store by it: an event may come twice.")]
    source: Annotated[str, Field(pattern="^/[^/]+/[^/]+$", description="/{compound_id}/{gateway_id}")]
    type: Annotated[str, Field(pattern=r"^compound\.[a-z]+(\.[a-z_]+)*\.v1$", description="compound.{name}.v1")]
    subject: Annotated[str, Field(description="The point, the device or the part that it is about.")]
    time: Annotated[Moment, Field(description="When it happened (capture), with offset; see `clock`.")]
    datacontenttype: Literal["application/json"]
    dataschema: Annotated[str, Field(pattern=r"^urn:compound-gateway:[a-z]+:\d+$", description="The schema of `data`.")]
    sequence: Sequence
    previous: Annotated[
        int,
        Field(
            ge=0,
            description="The sequence of the event before it among the classes this uplink gets; 0: there is none.",
        ),
    ]
    clock: Annotated[ClockTrust, Field(description="restored: `time` was corrected after the clock had been set.")]
    bootid: BootId
    uptimems: Annotated[
        int,
        Field(
            description="Milliseconds since that boot; orders events without a clock. "
            "Below 0: of a picture in a folder that was taken before it."
        ),
    ]
    replay: Annotated[bool, Field(description="It was in the journal before this connection, or was asked for again.")]
    passage: NotRequired[Annotated[str, Field(description="Joins the events of one person or car.")]]
    chain: NotRequired[
        Annotated[
            str,
            Field(pattern="^[0-9a-f]{64}$", description="Alarms and audit: hash over this row and the one before it."),
        ]
    ]
    data: dict[str, Any]
