"""How many bytes of the file each class of events takes, and how many of them were written of late.

Rule: nothing is counted while events are kept. What has been added since is counted afterwards, a bounded number of
rows at a time, and remembered in the file, so that nobody ever reads a whole journal for it; what is deleted is taken
off in the same transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field

from gateway.journal.values import ROTTEN

OVERHEAD = 240  # bytes of a row beside its data: the other columns, its index entry, its share of unused space
WEIGHT = f"{OVERHEAD} + length(CAST(data AS BLOB))"
STEP = 1000  # rows counted in one go: they are read from a memory card, perhaps, and the journal is locked meanwhile
_DAY_US = 86_400_000_000
_DAYS = 7


@dataclass(slots=True)
class Day:
    """What was written on one day (UTC) with the clock set: times of the first and the last event, bytes per class."""

    first_us: int
    last_us: int
    of: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Weights:
    """`upto`: rows after it are not counted yet. `days`: the last ones, by their number since 1970."""

    upto: int = 0
    of: dict[str, int] = field(default_factory=dict)
    days: dict[int, Day] = field(default_factory=dict)


def read(connection: sqlite3.Connection) -> Weights:
    """What was counted so far."""
    fact = connection.execute("SELECT value FROM facts WHERE name = 'weights'").fetchone()
    try:
        upto, of, *days = json.loads(fact[0]) if fact else (0, {})  # before the days were counted there were none
        return Weights(upto, of, {int(day): Day(*known) for day, known in (days[0] if days else {}).items()})
    except ROTTEN:  # the disk has changed it: then all is counted anew
        return Weights()


def count_on(connection: sqlite3.Connection, known: Weights) -> bool:
    """Count at most `STEP` rows more; False if there are none left."""
    ((first,),) = connection.execute("SELECT min(seq) FROM events WHERE seq > ?", (known.upto,))
    if first is None:
        return False
    counted = connection.execute(
        f"SELECT class, CASE clock WHEN 'unsynced' THEN NULL ELSE time_us / {_DAY_US} END, sum({WEIGHT}),"
        " min(time_us), max(time_us), max(seq) AS last"
        " FROM events WHERE seq BETWEEN ? AND ? GROUP BY 1, 2 ORDER BY last",
        (first, first + STEP - 1),
    )
    today = None
    for kind, number, size, first_us, last_us, last in counted:
        known.upto = last
        known.of[kind] = known.of.get(kind, 0) + size
        if number is not None:
            today = number
            day = known.days.setdefault(number, Day(first_us, last_us))
            day.first_us, day.last_us = min(day.first_us, first_us), max(day.last_us, last_us)
            day.of[kind] = day.of.get(kind, 0) + size
    if today is not None:  # also what lies in the future goes: the clock was wrong when it was written
        known.days = {number: day for number, day in known.days.items() if today - _DAYS < number <= today}
    return True


def take_off(connection: sqlite3.Connection, kind: str, seqs: Sequence[int]) -> None:
    """Rows of a class are about to be deleted in the caller's transaction."""
    found = read(connection)
    ((gone,),) = connection.execute(
        f"SELECT coalesce(sum({WEIGHT}), 0) FROM events WHERE seq IN (SELECT value FROM json_each(?)) AND seq <= ?",
        (json.dumps(seqs), found.upto),
    )
    found.of[kind] = max(0, found.of.get(kind, 0) - gone)
    save(connection, found)


def save(connection: sqlite3.Connection, found: Weights) -> None:
    """Inside the caller's transaction."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES ('weights', ?)", (json.dumps(astuple(found)),))
