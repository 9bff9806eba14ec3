"""What is always there to read: status, devices and catalog (retained), and health once a minute."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from gateway.clock import ClockTrust
from gateway.messages.common import BootId, Count, DeviceName, Moment, PointName
from gateway.settings import Point, Site, Treatment
from gateway.types import DeviceStatus, EventClass

DeviceKind = Literal["reader", "camera", "actuator"]
Urn = Annotated[str, Field(pattern=r"^urn:compound-gateway:[a-z-]+:\d+$")]


class Status(TypedDict):
    """Whether the gateway is there. `offline` is its last will: the `last_seq` of that is as old as the connection."""

    status: Literal["online", "offline", "stopped"]
    since: Moment
    boot_id: BootId
    last_seq: Annotated[Count, Field(description="The last sequence in the journal when this was said; 0: none yet.")]
    version: Annotated[str, Field(description="Of the program.")]


class DeviceState(TypedDict):
    """One reader, camera or actuator."""

    status: DeviceStatus
    since: Moment
    kind: Annotated[str, Field(json_schema_extra={"enum": ["reader", "camera", "actuator"]})]
    point: PointName | None


class Device(TypedDict):
    name: DeviceName
    kind: DeviceKind
    driver: str
    point: NotRequired[PointName]


Fields = dict[Literal["plate_no", "holder", "room"], Treatment]


class SchemaVersion(TypedDict):
    schema: Annotated[int, Field(ge=1)]


DataEntry = TypedDict(
    "DataEntry",
    {
        "class": EventClass,
        "topic": Annotated[str, Field(description="Below the gateway's own tree of topics.")],
        "dataschema": Urn,
        "version": Annotated[int, Field(ge=1)],
        "fields": Annotated[Fields, Field(description="The field policy of this uplink.")],
    },
)
DataEntry.__doc__ = "One class of events that this uplink gets."


class Catalog(TypedDict):
    """What the box has, and what this platform gets of it. Sent at each connect, and when a reload has changed it."""

    site: Site
    gateway: Annotated[str, Field(description="The gateway's id.")]
    version: Annotated[str, Field(description="Of the program.")]
    points: dict[str, Point]
    devices: list[Device]
    classes: Annotated[dict[EventClass, SchemaVersion], Field(description="All that the program knows.")]
    data: Annotated[list[DataEntry], Field(description="What this uplink gets.")]
    messages: Annotated[dict[str, Urn], Field(description="The schema of each other kind of message.")]
    begins_after: Annotated[Count, Field(description="Up to this sequence nothing was ever meant for this uplink.")]


class Cpu(TypedDict):
    busy: Annotated[float, Field(ge=0, description="Share of all cores.")]
    process: Annotated[float, Field(ge=0, description="Share of one core, by the gateway's door process.")]
    load: Annotated[list[float], Field(description="Over 1, 5 and 15 minutes.")]
    cores: int | None


class Memory(TypedDict):
    """Bytes."""

    total: Count
    available: Count
    rss: Annotated[Count, Field(description="Of the door process.")]


class Disk(TypedDict):
    """Bytes of the file system that holds the journal."""

    free: Count
    total: Count


class VisionState(TypedDict):
    """The cameras. All null or empty where there are none."""

    pace: Annotated[float | None, Field(description="Below 1: too slow a box; every camera has that share of its fps.")]
    memory: Annotated[int | None, Field(description="Bytes of all vision processes.")]
    restarts: Count
    fps: Annotated[dict[str, float], Field(description="Looks a second, by camera.")]


class JournalState(TypedDict):
    last_seq: Count
    fault: Annotated[Any, Field(description="Null, or why events cannot be kept now.")]


class Clock(TypedDict):
    trust: ClockTrust
    offset_s: Annotated[float | None, Field(description="Null while nothing keeps the clock.")]


class Backlog(TypedDict, total=False):
    """How one uplink stands; absent while the disk does not tell."""

    backlog: Annotated[Count, Field(description="Events that have not been passed.")]
    oldest_pending: Moment | None
    dead_letters: Annotated[Count, Field(description="Events that the broker refused; they are tried again.")]


class _Measured(TypedDict):
    time: Moment
    uptime_s: Count
    cpu: Cpu
    memory: Memory
    disk: Disk
    journal: JournalState
    clock: Clock
    devices: dict[str, DeviceStatus]
    vision: VisionState
    counters: Annotated[dict[str, int], Field(description="Since the start; names may change without notice.")]


class Sample(_Measured):
    """As measured, with every uplink."""

    uplinks: dict[str, Backlog | None]


class Health(_Measured, Backlog):
    """How the box is doing, with this uplink's own backlog."""
