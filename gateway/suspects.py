"""Stills that may be why children end: a picture that crashes recognition, or holds it too long, would come again.

Rule: one end may be chance. A still that so many children ended at is given up: it counts as unreadable, and the
camera goes on with the next.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

from gateway.text import on_one_line
from gateway.wire import GiveUp, LooksAt

log = logging.getLogger(__name__)

_TRIES: Final = 3  # of looking at a still
_MOST: Final = 100


class Suspects:
    """One child after the other is reported to it."""

    def __init__(self) -> None:
        self._looks_at: LooksAt | None = None
        self._ends: dict[tuple[str, str], int] = {}  # of children, while they looked at this still of this camera

    def looks_at(self, still: LooksAt | None) -> None:
        """What the child looks at from now on; None for nothing that would come again."""
        self._looks_at = still

    def note_end(self) -> None:
        """The child has ended."""
        if self._looks_at is None:
            return
        still = self._looks_at.device, self._looks_at.origin
        self._looks_at = None
        self._ends[still] = self._ends.pop(still, 0) + 1
        named = self._ends[still], on_one_line(still[1])
        log.warning("camera %s: the child ended %d times so far while it looked at %s", still[0], *named)
        if len(self._ends) > _MOST:
            del self._ends[next(iter(self._ends))]

    def given_up(self) -> Iterator[GiveUp]:
        """What a new child is told."""
        for still, ends in self._ends.items():
            if ends >= _TRIES:
                yield GiveUp(*still, ends)
