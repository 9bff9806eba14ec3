"""The values of the journal: a row, how far an uplink has come, what is still to pass, what takes how much room."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from gateway import fastjson
from gateway.clock import ClockTrust
from gateway.types import EventClass, class_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLASSES = tuple(EventClass)  # the order of `gaps`; a new class may only be added at the end
PLACES = {kind.value: place for place, kind in enumerate(CLASSES)}
NO_LIMIT = (1 << 63) - 1
_TRUST = {trust.value: trust for trust in ClockTrust}
_MICROSECOND = timedelta(microseconds=1)
ROTTEN = (ValueError, TypeError, KeyError, OverflowError)  # what bytes that a disk has changed may raise


class Row(NamedTuple):
    """An event with its sequence, as the journal keeps it."""

    seq: int
    id: str
    name: str
    subject: str
    time: datetime  # of capture, UTC
    clock: ClockTrust
    uptime_ms: int
    boot_id: str
    passage: str | None
    origin: str | None
    data: Mapping[str, Any]
    gaps: tuple[int, ...]  # per class, in the order of EventClass: how far back its last event before this one lies
    chain: str | None = None  # of alarms and audit rows: see chain.py

    @property
    def event_class(self) -> EventClass:
        return class_of(self.name)

    def previous(self, classes: Collection[EventClass]) -> int:
        """The sequence of the event before this one among `classes`; 0 if there is none.

        Kept in the row itself, so that it stays true after a purge.
        """
        gaps = self.gaps
        near = [gaps[place] for place in _places(frozenset(classes)) if place < len(gaps) and gaps[place]]
        return self.seq - min(near) if near else 0


@lru_cache(maxsize=64)  # an uplink asks for each row with the same classes
def _places(classes: frozenset[EventClass]) -> tuple[int, ...]:
    return tuple(place for place, kind in enumerate(CLASSES) if kind in classes)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A stretch of sequences that one lane of an uplink has not passed yet: after < seq <= upto."""

    lane: str
    after: int
    upto: int | None  # None: everything to come


@dataclass(frozen=True, slots=True)
class Pending:
    """What an uplink has still to pass."""

    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes: held per class, written per class within the last `span_s` seconds, and of the whole file."""

    held: Mapping[EventClass, int]
    recent: Mapping[EventClass, int]
    span_s: float
    file: int


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exact."""
    return (moment - EPOCH) // _MICROSECOND


def open_end(upto: int | None) -> int:
    """The stored form of a cursor's end."""
    return NO_LIMIT if upto is None else upto


def row_of(found: tuple[Any, ...]) -> Row:
    """A record of the file as a row. Raises one of `ROTTEN` where it is not what was once written."""
    seq, id_, kind, name, subject, time_us, clock, uptime_ms, boot_id, passage, origin, data, gaps, chain = found
    if class_of(name).value != kind:
        raise ValueError(f"its class is {kind}, its name {name}")
    time, trust = EPOCH + timedelta(microseconds=time_us), _TRUST[clock]
    facts = fastjson.read(data)
    if not isinstance(facts, dict):
        raise TypeError("its data is no object")
    rest = facts, parse_gaps(gaps), chain
    return Row(seq, id_, name, subject, time, trust, uptime_ms, boot_id, passage, origin, *rest)


@lru_cache(maxsize=256)  # rows of one class follow each other
def parse_gaps(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def last_per_class(seq: int, event_class: str, gaps: tuple[int, ...]) -> dict[str, int]:
    """The last sequence of each class, as of the row `seq`."""
    lasts = {kind.value: seq - gap for kind, gap in zip(CLASSES, gaps, strict=False) if gap}
    lasts[event_class] = seq
    return lasts


def write_gaps(seq: int, lasts: Sequence[int]) -> str:
    """`Row.gaps` of a new row, given the last sequence of each class before it, in the order of `PLACES`; 0: none."""
    return fastjson.write([seq - last if last else 0 for last in lasts])[1:-1].decode()
