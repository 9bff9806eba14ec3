"""The lines between the vision child and the door process: one JSON object a line, one key that says what it is.

Rule: strict both ways. The child decodes strangers' pixels, so the door process believes a line only if it is, to the
byte, what `encode` writes for its meaning, and every number is in its range; else `BadFrame`: the child is replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from gateway.errors import BadFrame
from gateway.types import DeviceStatus, FaceSeen, PictureDone, Plate, PlateSeen, Shot, ShotKind

MAX_LINE: Final = 1 << 20
_LONGEST_TEXT: Final = 2000
MOST_BYTES: Final = {ShotKind.PLATE: 64 << 10, ShotKind.SCENE: 512 << 10}  # of a picture; base64 adds a third
_MOST: Final = 1000  # reads, cameras, counters, characters


@dataclass(frozen=True, slots=True)
class Hello:
    """The child lives and has read its settings."""

    pid: int


@dataclass(frozen=True, slots=True)
class CameraBeat:
    """`frame_age_s` is None until the first frame; `fps` counts frames looked at, not frames that the camera sent."""

    frame_age_s: float | None
    fps: float


@dataclass(frozen=True, slots=True)
class Beat:
    """Once a second, from the loop that does the work. Counters count since the child started."""

    rss: int
    cameras: dict[str, CameraBeat]
    counters: dict[str, int] = field(default_factory=dict)
    recognisers: dict[str, str] = field(default_factory=dict)  # plate | face -> loading | ready | off


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
class Settle:
    """The door process kept the events of this observation: its picture may be consumed."""

    device: str
    token: int


Message = Hello | Beat | DeviceReport | RecogniserFault | PlateSeen | FaceSeen | PictureDone | Settle

_KINDS: Final[dict[str, type[Any]]] = {
    "hello": Hello,
    "beat": Beat,
    "device": DeviceReport,
    "fault": RecogniserFault,
    "plate": PlateSeen,
    "face": FaceSeen,
    "done": PictureDone,
    "settle": Settle,
}
_KEYS: Final = {kind: key for key, kind in _KINDS.items()}
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {key: TypeAdapter(kind) for key, kind in _KINDS.items()}


def encode(message: Message) -> bytes:
    """One line, its newline included."""
    key = _KEYS[type(message)]
    return b'{"%s":%s}\n' % (key.encode(), _ADAPTERS[key].dump_json(message))


def decode(line: bytes) -> Message:
    """Read a line. Raises `BadFrame`."""
    key, separator, rest = line[2:].partition(b'":')
    adapter = _ADAPTERS.get(key[:20].decode("ascii", "replace"))
    if adapter is None or not separator:
        raise BadFrame(f"a line of no known kind: {line[:60]!r}", reason="kind")
    try:
        message: Message = adapter.validate_json(rest.rstrip(b"\n")[:-1], strict=True)
        exact = encode(message) == line
    except (ValidationError, PydanticSerializationError) as error:
        raise BadFrame(f"a line of kind {key.decode()} of the wrong shape", reason="shape") from error
    if not exact or not _in_range(message):
        raise BadFrame(f"a line of kind {key.decode()} that nobody here would write", reason="shape")
    return message


def _in_range(message: Message) -> bool:
    """Whether every text is short, every count small and every probability one."""
    match message:
        case PlateSeen(plate=plate, reads=reads, shots=shots):
            good = 0 <= reads <= _MOST and (plate is None or _is_plate(plate)) and _are_shots(shots)
        case FaceSeen(similarity=similarity, threshold=threshold, reads=reads):
            good = 0 <= reads <= _MOST and abs(similarity) <= 10 and abs(threshold) <= 10
        case Beat(cameras=cameras, counters=counters, recognisers=recognisers):
            good = max(len(cameras), len(counters), len(recognisers)) <= _MOST
        case _:
            good = True
    slots = (getattr(message, name) for name in message.__slots__)
    return good and all(len(value) <= _LONGEST_TEXT for value in slots if isinstance(value, str))


def _is_plate(plate: Plate) -> bool:
    texts = (plate.number, plate.raw, plate.plate_class, plate.plate_color)
    odds = (plate.confidence, *plate.char_confidence)
    return all(len(text) <= 32 for text in texts) and len(odds) <= 33 and all(0.0 <= odd <= 1.0 for odd in odds)


def _are_shots(shots: tuple[Shot, ...]) -> bool:
    """At most one of a kind, none too large. What is in them, `gateway.captures` looks at."""
    kinds = {shot.kind for shot in shots}
    return len(kinds) == len(shots) and all(len(shot.jpeg) <= MOST_BYTES[shot.kind] for shot in shots)
