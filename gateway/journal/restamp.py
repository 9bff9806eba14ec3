"""Events that were written before the clock was set get their true time once it is.

Rule: where the first of them lies is a fact in the file, written with it, so that nothing has to be searched and no
index be kept for them. Id and sequence stay as they are. A bounded number gets it in one transaction, since cards are
recorded between; when the boot began is settled by the first transaction for all of them. What was done is told by an
`audit.clock_set` row in the same transaction. Rows of an earlier boot stay unsynced: nothing tells when it began.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from gateway.clock import ClockTrust, Stamp
from gateway.journal import chain
from gateway.journal.values import EPOCH, microseconds
from gateway.types import Event

STEP = 2000  # rows of one transaction
_CLOCK, _BOOT = 6, 8  # in the order of `schema.EVENT_COLUMNS`
_WHICH = "FROM events WHERE seq >= ? AND seq < ? AND clock = 'unsynced' AND boot_id = ?"


@dataclass(frozen=True, slots=True)
class Unset:
    """From `seq` on there are rows of `boot` that were written while the clock was not set.

    `zero_us`: when the boot began, once the first of them have got their time.
    """

    boot: str
    seq: int
    zero_us: int | None = None


def read(connection: sqlite3.Connection) -> Unset | None:
    fact = connection.execute("SELECT value FROM facts WHERE name = 'unset'").fetchone()
    return Unset(*json.loads(fact[0])) if fact else None


def note(connection: sqlite3.Connection, known: Unset | None, rows: Sequence[tuple[Any, ...]]) -> Unset | None:
    """Remember the first of the new `rows` that will need its true time; inside the caller's transaction."""
    if not rows or (known and known.boot == rows[0][_BOOT]):
        return known
    first = next((row for row in rows if row[_CLOCK] == ClockTrust.UNSYNCED.value), None)
    return _save(connection, Unset(first[_BOOT], first[0])) if first else known


def restamp(connection: sqlite3.Connection, unset: Unset, at: Stamp) -> tuple[list[Event], Unset | None]:
    """Give the next rows their true time, `at` being a moment of the same boot, inside the caller's transaction.

    Returns what tells of it, and what is left.
    """
    zero = microseconds(at.time) - int(at.mono * 1_000_000) if unset.zero_us is None else unset.zero_us
    ((first,),) = connection.execute("SELECT min(seq) FROM events WHERE seq >= ?", (unset.seq,))
    ((newest,),) = connection.execute("SELECT max(seq) FROM events")  # both at once would read all between them
    if first is None:  # they have gone by age, or for want of space
        return [], _save(connection, None)
    end = first + STEP
    which = (first, end, unset.boot)
    wrong = connection.execute(f"SELECT time_us - uptime_ms * 1000 {_WHICH} LIMIT 1", which).fetchone()
    count = connection.execute(
        f"UPDATE events SET time_us = ? + uptime_ms * 1000, clock = 'restored' WHERE seq IN (SELECT seq {_WHICH})",
        (zero, *which),
    ).rowcount
    left = _save(connection, replace(unset, seq=end, zero_us=zero) if end <= newest else None)
    if wrong is None:
        return [], left
    return [chain.clock_set(unset.boot, at, EPOCH + timedelta(microseconds=zero), count, zero - wrong[0])], left


def _save(connection: sqlite3.Connection, unset: Unset | None) -> Unset | None:
    if unset is None:
        connection.execute("DELETE FROM facts WHERE name = 'unset'")
    else:
        value = json.dumps([unset.boot, unset.seq, unset.zero_us])
        connection.execute("INSERT OR REPLACE INTO facts VALUES ('unset', ?)", (value,))
    return unset
