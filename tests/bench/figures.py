"""What a bench reports: figures, each with its floor and its aim.

Rule: a floor is the least that could do the same deed here (the same disk, broker, processor), never a wish.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.progress import Progress


@dataclass(frozen=True, slots=True)
class Aim:
    """A limit for the value itself or for its ratio to the floor."""

    of: Literal["value", "ratio"]
    way: Literal["≤", "≥"]
    limit: float

    def met_by(self, value: float, ratio: float | None) -> bool:
        found = value if self.of == "value" or ratio is None else ratio
        return found <= self.limit if self.way == "≤" else found >= self.limit

    def __str__(self) -> str:
        return f"{self.way} {self.limit:g}" + (" × floor" if self.of == "ratio" else "")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `floor` has the same unit and was measured in the same run."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    aim: Aim | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None

    @property
    def met(self) -> bool | None:
        """None where there is no aim."""
        return None if self.aim is None else self.aim.met_by(self.value, self.ratio)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "aim": str(self.aim) if self.aim else None, "ratio": self.ratio, "met": self.met}


@dataclass(frozen=True, slots=True)
class Report:
    """What one bench found. `notes` say what was measured on, or why something could not be."""

    figures: Sequence[Figure]
    notes: Sequence[str] = ()


Bench = Callable[[Path, Progress], Report]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share (0..1) of all does not exceed, by nearest rank."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def worked(work: Callable[[], object]) -> float:
    """Seconds of processor that one call costs this thread: what else runs on the box counts for little."""
    began = time.thread_time()
    work()
    return time.thread_time() - began
