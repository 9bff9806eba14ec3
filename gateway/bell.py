"""A bell: wakes one thread that waits for it and for a socket at the same time.

Rule: any thread rings, one waits. A ring is not lost when nobody is waiting, and many rings wake once.
"""

from __future__ import annotations

import os
import select
import weakref
from contextlib import suppress
from typing import Protocol


class HasFileno(Protocol):
    def fileno(self) -> int: ...


class Bell:
    """Closed when it is forgotten: whoever may still ring it holds it."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)

    def ring(self) -> None:
        os.eventfd_write(self._descriptor, 1)

    def wait(self, seconds: float, wire: HasFileno | None = None, *, to_write: bool = False) -> None:
        """Until it rings, `wire` has something to read (or room, with `to_write`), or `seconds` have passed."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if wire is not None:
            poll.register(wire, select.POLLIN | select.POLLOUT if to_write else select.POLLIN)
        poll.poll(seconds * 1000)
        with suppress(BlockingIOError):
            os.eventfd_read(self._descriptor)
