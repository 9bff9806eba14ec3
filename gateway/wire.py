"""The lines between the vision child and the door process.

Rule: the child decodes strangers' pixels, so the door process believes a line only if it is in form (`gateway.lines`)
and every number is in its range; else `BadFrame`: the child is replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from gateway.lines import Codec
from gateway.types import DeviceStatus, FaceSeen, PictureDone, Plate, PlateSeen, Shot, ShotKind

MOST_BYTES: Final = {ShotKind.PLATE: 64 << 10, ShotKind.SCENE: 512 << 10}  # of a picture; base64 adds a third
_MOST: Final = 1000  # reads, cameras, counters


@dataclass(frozen=True, slots=True)
class Hello:
    """The child lives and has read its settings."""

    pid: int


@dataclass(frozen=True, slots=True)
class CameraBeat:
    """`frame_age_s` is None until the first frame; `fps` counts frames looked at, `sent_fps` those the camera sent.

    `resting`: nothing moves before it, so it is hardly looked at. `memory` is what its decoder takes, in bytes.
    """

    frame_age_s: float | None
    fps: float
    sent_fps: float = 0.0
    resting: bool = False
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Beat:
    """Once a second, from the loop that does the work. Counters count since the child started.

    `pace` is the share of their `fps` that the cameras have: below 1 this box is too slow for what moves before them.
    """

    rss: int
    cameras: dict[str, CameraBeat]
    counters: dict[str, int] = field(default_factory=dict)
    recognisers: dict[str, str] = field(default_factory=dict)  # plate | face -> loading | ready | off
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """A camera came or went. `detail` is for people: the error and its hint."""

    name: str
    status: DeviceStatus
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RecogniserFault:
    """A recogniser is off until the next start; the others go on."""

    recogniser: str
    detail: str


@dataclass(frozen=True, slots=True)
class LooksAt:
    """A still is being looked at, until the next observation or beat: should the child end now, it may be why."""

    device: str
    origin: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """To the child: so many children ended while they looked at this still; it counts as unreadable."""

    device: str
    origin: str
    ends: int


@dataclass(frozen=True, slots=True)
class Settle:
    """The door process kept the events of this observation: its picture may be consumed."""

    device: str
    token: int


@dataclass(frozen=True, slots=True)
class Reload:
    """To the child: other cameras, all else as it was. Cameras that are the same in both are not touched."""

    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The child has taken up the last `Reload`: of cameras that went it will not speak again."""


Order = Settle | GiveUp | Reload
Message = (
    Hello | Beat | DeviceReport | RecogniserFault | LooksAt | PlateSeen | FaceSeen | PictureDone | Reloaded | Order
)

_KINDS: Final[dict[str, type[Any]]] = {
    "hello": Hello,
    "beat": Beat,
    "device": DeviceReport,
    "fault": RecogniserFault,
    "plate": PlateSeen,
    "face": FaceSeen,
    "done": PictureDone,
    "looks": LooksAt,
    "settle": Settle,
    "give_up": GiveUp,
    "reload": Reload,
    "reloaded": Reloaded,
}


def _in_range(message: Message) -> bool:
    """Whether every count is small, every probability one and every moment possible. All texts are short by now."""
    stamps = (getattr(message, name, None) for name in ("stamp", "first_seen", "last_seen"))
    if not all(stamp.is_possible for stamp in stamps if stamp is not None):
        return False
    match message:
        case PlateSeen(plate=plate, reads=reads, shots=shots):
            good = 0 <= reads <= _MOST and (plate is None or _is_plate(plate)) and _are_shots(shots)
        case FaceSeen(similarity=similarity, threshold=threshold, reads=reads):
            good = 0 <= reads <= _MOST and abs(similarity) <= 10 and abs(threshold) <= 10
        case Beat(cameras=cameras, counters=counters, recognisers=recognisers, pace=pace):
            good = max(len(cameras), len(counters), len(recognisers)) <= _MOST and 0 <= pace <= 1
        case _:
            good = True
    return good


def _is_plate(plate: Plate) -> bool:
    texts = (plate.number, plate.raw, plate.plate_class, plate.plate_color)
    odds = (plate.confidence, *plate.char_confidence)
    return all(len(text) <= 32 for text in texts) and len(odds) <= 33 and all(0.0 <= odd <= 1.0 for odd in odds)


def _are_shots(shots: tuple[Shot, ...]) -> bool:
    """At most one of a kind, none too large. What is in them, `gateway.captures` looks at."""
    kinds = {shot.kind for shot in shots}
    return len(kinds) == len(shots) and all(len(shot.jpeg) <= MOST_BYTES[shot.kind] for shot in shots)


_CODEC: Final[Codec[Message]] = Codec(_KINDS, _in_range)
encode, decode = _CODEC.encode, _CODEC.decode
