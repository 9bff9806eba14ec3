"""How fast the cameras may be looked at on this box: all of them lowered by the same share where it is too slow.

Rule: demand is what the cameras before which something moves would need, measured by their own last looks; a camera at
rest needs nothing. Where the demand is more than a processor has, each camera gets the same share of its `fps`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_ROOM: Final = 0.9  # of one processor: the loop also does other things
_SMOOTH: Final = 0.3  # of a new measurement
_RECENT_S: Final = 3.0


class Pace:
    """The looks of one camera. Times are monotonic seconds."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._cost = 0.0
        self._last = float("-inf")

    def looked(self, at: float, seconds: float) -> None:
        """A look was over at this moment and took so long."""
        self._cost = seconds if not self._cost else self._cost + _SMOOTH * (seconds - self._cost)
        self._last = at

    def needs(self, at: float) -> float:
        """The share of a processor that this camera would take at its full rate."""
        return self._fps * self._cost if at - self._last < max(_RECENT_S, 3 / self._fps) else 0.0


def share(paces: Iterable[Pace], at: float) -> float:
    """What part of its `fps` every camera may have now, 0..1."""
    demand = sum(pace.needs(at) for pace in paces)
    return 1.0 if demand <= _ROOM else _ROOM / demand
