"""How fast the backlog may go.

Rule: a gateway that comes back after a day must not drown the platform, nor its own live events.
"""

from __future__ import annotations

import time


class Allowance:
    """How many replayed events may go now: `rate` a second, a quarter of a second's worth at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._burst = max(1.0, rate / 4)
        self._left = 1.0
        self._at = time.monotonic()
        self.is_spent = False

    @property
    def wait(self) -> float:
        """Seconds until there is allowance for the next event."""
        return min(0.5, max(0.01, (1.0 - self._left) / self._rate))

    def refill(self) -> None:
        at = time.monotonic()
        self._left = min(self._burst, self._left + (at - self._at) * self._rate)
        self._at = at
        self.is_spent = False

    def take(self) -> bool:
        if self._left < 1.0:
            self.is_spent = True
            return False
        self._left -= 1.0
        return True
