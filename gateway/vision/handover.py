"""The lines between a camera's decoder and the recognising process; the pictures themselves lie in `Slots`.

Rule: the decoder was the first to touch what strangers show, so nothing of it is believed that is not in form and in
range; else it is ended and the next one started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from gateway.clock import Stamp
from gateway.lines import Codec
from gateway.text import Language
from gateway.vision.slots import COUNT, MOST_PIXELS


@dataclass(frozen=True, slots=True)
class Task:
    """To a decoder, first of all: the camera that it opens. Where it is not `gated`, it shows also what is still.

    `small`: height and width into which it shrinks each picture, too (`gateway.vision.letterbox`), or nothing.
    """

    name: str
    driver: str
    options: dict[str, Any]
    fps: float
    roi: list[list[float]]
    language: Language
    gated: bool
    small: list[int]


@dataclass(frozen=True, slots=True)
class Taken:
    """To a decoder: this slot is free again. `looked` is False where a newer picture made it pointless."""

    slot: int
    looked: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """To a decoder: the events of this still are kept."""

    source: str


@dataclass(frozen=True, slots=True)
class Born:
    """It lives and begins to open its camera. Said before it has seen a single byte of it."""

    pid: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The camera is open. `stills`: each of its pictures is a passage of its own and none may be dropped."""

    stills: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture lies in a slot, the small one behind it; they stay there until it is `Taken`."""

    slot: int
    width: int
    height: int
    stamp: Stamp
    source: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A still that is no picture; see `Unreadable`. It counts as lying in slot 0."""

    stamp: Stamp
    source: str
    origin: str
    fault: str


@dataclass(frozen=True, slots=True)
class Alive:
    """At least once a second. `frames` came since it was opened; `resting`: nothing moves, so nothing is shown."""

    frames: int
    last_mono: float | None
    resting: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """The camera is not there or has gone; `fault` means a bug of its driver. The decoder ends."""

    detail: str
    fault: bool = False


@dataclass(frozen=True, slots=True)
class Over:
    """Said by the nursery for a decoder that has ended: its exit code, or the signal that ended it as a minus."""

    code: int


FromDecoder = Born | Opened | Shown | Spoilt | Alive | Lost | Over
ToDecoder = Task | Taken | Settled


def _plausible(message: FromDecoder | ToDecoder) -> bool:
    match message:
        case Born(pid=pid):
            return pid > 1
        case Shown(slot=slot, width=width, height=height, stamp=stamp):
            is_picture = 0 <= slot < COUNT and width > 0 and height > 0 and width * height <= MOST_PIXELS
            return is_picture and stamp.is_possible
        case Spoilt(stamp=stamp):
            return stamp.is_possible
        case Taken(slot=slot):
            return 0 <= slot < COUNT
        case Alive(frames=frames):
            return frames >= 0
        case Over(code=code):
            return -64 <= code <= 255
        case _:
            return True


ORDERS: Final[Codec[ToDecoder]] = Codec({"task": Task, "taken": Taken, "settled": Settled}, _plausible)
REPORTS: Final[Codec[FromDecoder]] = Codec(
    {
        "born": Born,
        "opened": Opened,
        "shown": Shown,
        "spoilt": Spoilt,
        "alive": Alive,
        "lost": Lost,
        "over": Over,
    },
    _plausible,
)
