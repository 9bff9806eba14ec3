"""Whether a device is there, and well: one that came and was soon gone is back only once it stays.

Rule: each word on a device is an event on the disk and at every platform. A loose plug, a camera that fails again and
again or a reader whose case rattles is told once, not at each try.
"""

from __future__ import annotations

import time

from gateway.text import Text

STEADY_S = 10.0


class Presence:
    """Of one device, over all its sessions. For one thread."""

    def __init__(self) -> None:
        self._since: float | None = None  # monotonic: when this session was opened
        self._flickers = False  # the last one was soon over

    def open(self) -> None:
        """The device is open; it may be said again and again."""
        self._since = self._since or time.monotonic()

    def end(self) -> float:
        """The session is over; for how many seconds it was open."""
        if self._since is None:
            return 0.0
        lasted, self._since = time.monotonic() - self._since, None
        self._flickers = lasted <= STEADY_S
        return lasted

    @property
    def is_there(self) -> bool:
        """Open, and not only for a moment."""
        return self._since is not None and (not self._flickers or time.monotonic() - self._since > STEADY_S)


class Complaints:
    """Of one device, about itself: one that comes and goes stands until it has been gone for a while."""

    def __init__(self) -> None:
        self._last: Text | None = None
        self._heard = 0.0  # monotonic: when it was last made

    def standing(self, said: Text | None) -> Text | None:
        """The complaint that counts, by what the device says now."""
        if said is not None:
            self._last, self._heard = said, time.monotonic()
        elif time.monotonic() - self._heard > STEADY_S:
            self._last = None
        return self._last
