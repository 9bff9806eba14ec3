"""What an uplink is meant to get: of each of its classes, what came after a place in the sequence.

Rule: `previous` never names an event that was not meant for this uplink or had gone before its time, for a platform
would wait for that for ever. What was purged before the uplink came, and what was recorded before a class was added to
it, lies before the beginning of that class.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from gateway.journal import Cursor, Journal, Row
from gateway.types import EventClass

_CLASS = "begin."  # and its name: a lane without rows, as "begin" is for the whole


class Reach:
    """`begins_after` is the sequence up to which nothing was ever meant for this uplink."""

    def __init__(self, begins_after: int, after: Mapping[EventClass, int]) -> None:
        self.begins_after = begins_after
        self._after = after
        self._classes = frozenset(after)
        self._latest = max(after.values(), default=0)

    @classmethod
    def find(cls, journal: Journal, saved: Sequence[Cursor], wanted: Collection[EventClass], start: int) -> Reach:
        """By the cursors it saved; without any it is new, and leaves out all up to `start`. Raises `StoreError`."""
        if not saved:
            oldest = journal.read_after(start, wanted, 1)
            begins_after = oldest[0].previous(wanted) if oldest else journal.last_seq
            gone = journal.purged()
            return cls(begins_after, {kind: max(start, gone.get(kind.value, 0)) for kind in wanted})
        known = {cursor.lane: cursor.after for cursor in saved if cursor.lane.startswith("begin")}
        begins_after = known.pop("begin", 0)
        new = journal.last_seq if known else 0  # an older program kept no places of classes
        return cls(begins_after, {kind: known.get(_CLASS + kind.value, new) for kind in wanted})

    def cursors(self) -> list[Cursor]:
        """As they are saved."""
        places = {"begin": self.begins_after} if self.begins_after else {}
        places |= {_CLASS + kind.value: after for kind, after in self._after.items()}
        return [Cursor(lane, after, after) for lane, after in places.items()]

    def previous(self, row: Row) -> int:
        """The sequence of the event before it that the uplink gets; at most `begins_after` where there is none."""
        nearest = row.previous(self._classes)
        if nearest > self._latest:
            return nearest
        lasts = [last for kind, after in self._after.items() if (last := row.previous((kind,))) > after]
        return max(lasts, default=min(nearest, self.begins_after))
