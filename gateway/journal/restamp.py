"""Events that were written before the clock was set get their true time once it is.

Rule: where the first of them lies is a fact in the file, written with it, so that nothing has to be searched and no
index be kept for them. Id and sequence stay as they are. What was done is told by an `audit.clock_set` row in the same
transaction. Rows of an earlier boot stay unsynced: nothing tells when it began.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway.clock import ClockTrust, Stamp
from gateway.journal import chain
from gateway.journal.values import EPOCH, microseconds
from gateway.types import Event

_CLOCK = 6  # in the order of `schema.EVENT_COLUMNS`
_WHICH = "FROM events WHERE seq >= ? AND clock = 'unsynced' AND boot_id = ?"


@dataclass(frozen=True, slots=True)
class Unset:
    """From `seq` on there are rows of `boot` that were written while the clock was not set."""

    boot: str
    seq: int


def read(connection: sqlite3.Connection) -> Unset | None:
    fact = connection.execute("SELECT value FROM facts WHERE name = 'unset'").fetchone()
    return Unset(*json.loads(fact[0])) if fact else None


def note(
    connection: sqlite3.Connection, known: Unset | None, boot: str, rows: Iterable[tuple[Any, ...]]
) -> Unset | None:
    """Remember the first of the new `rows` that will need its true time; inside the caller's transaction."""
    if known and known.boot == boot:
        return known
    first = next((row[0] for row in rows if row[_CLOCK] == ClockTrust.UNSYNCED.value), None)
    if first is None:
        return known
    connection.execute("INSERT OR REPLACE INTO facts VALUES ('unset', ?)", (json.dumps([boot, first]),))
    return Unset(boot, first)


def restamp(connection: sqlite3.Connection, unset: Unset, at: Stamp) -> list[Event]:
    """Give the rows their true time, `at` being a moment of the same boot; return what tells of it."""
    zero = microseconds(at.time) - int(at.mono * 1_000_000)
    which = (unset.seq, unset.boot)
    wrong = connection.execute(f"SELECT time_us - uptime_ms * 1000 {_WHICH} LIMIT 1", which).fetchone()
    connection.execute("DELETE FROM facts WHERE name = 'unset'")
    if wrong is None:  # they have gone by age, or for want of space
        return []
    count = connection.execute(
        f"UPDATE events SET time_us = ? + uptime_ms * 1000, clock = 'restored' WHERE seq IN (SELECT seq {_WHICH})",
        (zero, *which),
    ).rowcount
    return [chain.clock_set(unset.boot, at, EPOCH + timedelta(microseconds=zero), count, zero - wrong[0])]
