"""Joins what one person or car shows at one point into one passage, and notices when somebody tries cards.

Rule: pure; time is the monotonic part of each stamp, memory is bounded however much is shown.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from gateway.clock import Stamp
from gateway.credentials import Credential
from gateway.ids import new_id
from gateway.plate_rules import apart
from gateway.types import CardRead, Observation, PlateSeen

WINDOW_S = 10.0  # from the first evidence of a passage
_REMEMBERED = 32  # passages at one point; more within the window are not joined
_MISREAD = 2  # characters by which a doubtful read of a plate may differ from the number told


@dataclass(slots=True)
class _Passage:
    """`shown` is what was presented: the card, the plate number, the face's subject, by kind of observation."""

    id: str
    began: float
    holder_id: str | None
    shown: dict[type[Observation], object] = field(default_factory=dict)
    still: object | None = None  # the uploaded picture that is part of it


class Passages:
    """Open passages of every point."""

    def __init__(self) -> None:
        self._open: dict[str, deque[_Passage]] = {}

    def join(self, observation: Observation, holder_id: str | None) -> str:
        """The id of the passage this observation belongs to: one already open, or a new one.

        Two observations are of one passage when they name the same holder, or show the same thing; another card,
        plate or face than the passage has already shown is another passage. Each still is a passage of its own: the
        camera that uploads it has told the passages apart.
        """
        shown, still = _shown(observation), _still(observation)
        recent = self._open.setdefault(observation.point, deque(maxlen=_REMEMBERED))
        for passage in reversed(recent):
            if still is not None and passage.still not in (None, still):
                continue
            if abs(observation.stamp.mono - passage.began) <= WINDOW_S and _belongs(
                passage, type(observation), shown, holder_id
            ):
                passage.shown[type(observation)] = shown
                passage.still = still or passage.still
                return passage.id
        passage = _Passage(new_id(), observation.stamp.mono, holder_id, {type(observation): shown}, still)
        recent.append(passage)
        return passage.id


def _belongs(passage: _Passage, kind: type[Observation], shown: object, holder_id: str | None) -> bool:
    if passage.holder_id != holder_id or shown is None:
        return False
    return passage.shown[kind] == shown if kind in passage.shown else holder_id is not None


def _shown(observation: Observation) -> Credential | str | None:
    if isinstance(observation, CardRead):
        return observation.credential
    if isinstance(observation, PlateSeen):
        return observation.plate.number if observation.plate else None
    return observation.subject


def _still(observation: Observation) -> tuple[str, str, int | None] | None:
    """Which uploaded picture it was seen in; names alone come again."""
    if isinstance(observation, CardRead) or observation.source_file is None:
        return None
    return observation.device, observation.source_file, observation.token


@dataclass(frozen=True, slots=True)
class Told:
    """A car that was told of: its number, the camera that told, and whether it was let in."""

    number: str
    device: str
    mono: float  # last in view
    passage: str
    opened: bool


class Cars:
    """The cars told of a moment ago: another camera of the point that sees one gives evidence, no second car."""

    def __init__(self) -> None:
        self._told: dict[str, deque[Told]] = {}

    def known(self, seen: PlateSeen, *, certain: bool, within_s: float) -> Told | None:
        """The same car as another camera of this point told it, at most `within_s` ago. Of a still: never."""
        if seen.plate is None or seen.source_file is not None:
            return None
        most = 0 if certain else _MISREAD
        for told in reversed(self._told.get(seen.point, deque())):
            near = abs(seen.stamp.mono - told.mono) <= within_s and told.device != seen.device
            if near and apart(told.number, seen.plate.number) <= most:
                return told
        return None

    def tell(self, seen: PlateSeen, passage: str, *, opened: bool) -> None:
        """This camera's read is told as a car. Stills are not: whoever uploads them tells their passages apart."""
        if seen.plate is None or seen.source_file is not None:
            return
        mono = (seen.last_seen or seen.stamp).mono
        cars = self._told.setdefault(seen.point, deque(maxlen=_REMEMBERED))
        cars.append(Told(seen.plate.number, seen.device, mono, passage, opened))


class WrongTries:
    """Counts unknown cards at each point. Tries that go on are one alarm a window: alarms are never shed."""

    def __init__(self, limit: int = 5, window_s: float = 60.0) -> None:
        self.limit = limit
        self.window_s = window_s
        self._tries: dict[str, deque[float]] = {}
        self._raised: dict[str, float] = {}

    def add(self, point: str, stamp: Stamp) -> bool:
        """One more wrong try. True when it fills the limit within the window; the count then begins anew, after it."""
        if stamp.mono - self._raised.get(point, -math.inf) < self.window_s:
            return False
        tries = self._tries.setdefault(point, deque(maxlen=self.limit))
        tries.append(stamp.mono)
        if len(tries) < self.limit or tries[-1] - tries[0] > self.window_s:
            return False
        tries.clear()
        self._raised[point] = stamp.mono
        return True
