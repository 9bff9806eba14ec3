"""The values that cross floors: frozen, slotted, without behaviour beyond naming themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from gateway.clock import Stamp
from gateway.credentials import Credential
from gateway.ids import new_id
from gateway.text import Text

if TYPE_CHECKING:  # the door process never loads numpy
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]  # H x W x 3, BGR


# ── places ────────────────────────────────────────────────────────────────────────────────────────────────


class Direction(StrEnum):
    IN = "in"
    OUT = "out"
    BOTH = "both"


class PointKind(StrEnum):
    PEDESTRIAN = "pedestrian"
    VEHICLE = "vehicle"
    MIXED = "mixed"


# ── raw facts ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Box:
    """Axis-aligned, pixels of the frame, right and bottom exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return max(0.0, self.right - self.left)

    @property
    def height(self) -> float:
        return max(0.0, self.bottom - self.top)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        if across <= 0 or down <= 0:
            return 0.0
        shared = across * down
        return shared / (self.width * self.height + other.width * other.height - shared)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture from one camera. `source` is the file name where each picture is a passage of its own.

    `origin` then tells it from all others, also after a restart. `doubts`: where, in pixels, a plate should be that was
    not clear yet; `thorough` asks for a longer look where none is; `small`: the picture shrunk for the plate detector.
    """

    pixels: Image
    stamp: Stamp
    source: str | None = None
    origin: str | None = None
    doubts: tuple[Box, ...] = ()
    thorough: bool = False
    small: Image | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A still that is no picture: cut off, empty, or no JPEG. `fault` says why, for people."""

    stamp: Stamp
    source: str
    origin: str
    fault: Text | str


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate as read and judged by the grammar (domain: GA 36 classes, GA/T 1400 codes)."""

    number: str  # e.g. 鄂J12345, separators removed
    raw: str  # as the recogniser gave it
    plate_class: str  # GA/T 1400 PlateClass, e.g. "02", "52"
    plate_color: str  # GA/T 1400 PlateColor: 1 black 2 white 5 blue 6 yellow 9 green 99 other
    confidence: float  # of the whole number, 0..1
    char_confidence: tuple[float, ...]
    corrected: bool = False  # O→0 or I→1 inside the serial
    colour_mismatch: bool = False


# ── observations: what the doorkeeper judges ──────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CardRead:
    point: str
    device: str
    stamp: Stamp  # of the last byte
    credential: Credential


class ShotKind(StrEnum):
    """What a picture shows: the plate as it was read, or the scene around it, coarse but for the plate."""

    PLATE = "plate"
    SCENE = "scene"


@dataclass(frozen=True, slots=True)
class Shot:
    """A JPEG that may become a capture. Plates have them; of a face there is none, ever."""

    __pydantic_config__: ClassVar = {"ser_json_bytes": "base64", "val_json_bytes": "base64"}

    kind: ShotKind
    jpeg: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlateSeen:
    """One vehicle's passage before one camera. `plate` is None where a still shows no readable plate.

    `stamp`, `box` and `shots` are of the one frame in which it was seen best. `direction` is what its track says, None
    where it says nothing.
    """

    point: str
    device: str
    stamp: Stamp  # capture of the best frame
    plate: Plate | None
    reads: int  # frames that were read
    box: Box | None = None
    first_seen: Stamp | None = None
    last_seen: Stamp | None = None
    direction: Direction | None = None
    shots: tuple[Shot, ...] = ()
    source_file: str | None = None
    token: int | None = None  # names the picture that may be settled once the event is kept
    origin: str | None = None  # the same for the same plate of the same still, also after a restart


@dataclass(frozen=True, slots=True)
class FaceSeen:
    """An enrolled face recognised. `subject` is the holder's keyed hash; strangers never become a value."""

    point: str
    device: str
    stamp: Stamp
    subject: str
    similarity: float
    threshold: float
    gallery_size: int
    assurance: str  # low | medium | high, from the model card
    liveness: str  # none | passive:…
    reads: int = 1
    source_file: str | None = None
    token: int | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class PictureDone:
    """A still that gave no observation (no face known, unreadable file). `fault` says why, if it is one."""

    point: str
    device: str
    stamp: Stamp
    source_file: str
    token: int
    fault: str = ""
    origin: str | None = None


Observation = CardRead | PlateSeen | FaceSeen


# ── who may pass ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Holder:
    """A person or a household's car owner in the roster."""

    id: str
    ref: str  # keyed hash "h:…", what events carry
    name: str
    kind: str  # resident | visitor | staff | …
    category: str  # owner | tenant | family | …
    room: str
    points: frozenset[str] | None  # None: every point
    valid_from: date | None = None
    valid_until: date | None = None  # the last day that is valid
    status: str = "active"  # active | lost | blocked


class Verdict(StrEnum):
    GRANT = "grant"
    DENY = "deny"


class Reason(StrEnum):
    """Why; the words events carry as `reason`."""

    OK = "ok"
    NOT_REQUIRED = "not_required"  # the point needs no permission
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    NO_RIGHT = "no_right"
    LOST = "lost"
    BLOCKED = "blocked"
    UNCERTAIN = "uncertain"
    LOW_ASSURANCE = "low_assurance"


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    reason: Reason
    holder: Holder | None = None


# ── events ────────────────────────────────────────────────────────────────────────────────────────────────


class EventClass(StrEnum):
    ACCESS = "access"
    VEHICLE = "vehicle"
    VERIFY = "verify"
    CHECK = "check"
    ALARM = "alarm"
    DEVICE = "device"
    LOSS = "loss"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, before the journal gave it a sequence. `name` is e.g. `access.granted`."""

    name: str
    subject: str  # point or device
    stamp: Stamp
    data: Mapping[str, Any]
    passage: str | None = None
    origin: str | None = None  # identity of the source picture; the journal keeps one event per origin
    id: str = field(default_factory=new_id)

    @property
    def event_class(self) -> EventClass:
        return class_of(self.name)


@lru_cache(maxsize=256)
def class_of(name: str) -> EventClass:
    """The class of events of this name. Raises `ValueError` where there is none."""
    return EventClass(name.partition(".")[0])


class DeviceStatus(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    FAULT = "fault"


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────


class CommandName(StrEnum):
    """What a platform may order, where `[commands] allow` names it."""

    DOOR_OPEN = "door.open"
    BARRIER_OPEN = "barrier.open"
    ROSTER_SYNC = "roster.sync"
    CREDENTIAL_REVOKE = "credential.revoke"
    PERSON_ERASE = "person.erase"
    EVENT_RESEND = "event.resend"
    CAPTURE_GET = "capture.get"
    NOTICE_SHOW = "notice.show"
    CONFIG_GET = "config.get"
    PING = "ping"
