"""Alarms and audit rows are chained: each carries a hash over itself and over the hash before it in its class.

Rule: whoever changes, removes or slips in such a row afterwards breaks the chain at that row. One chain per class,
because each class is purged by an age of its own: what a purge takes is then the beginning of a chain, and where the
rest begins is told by an `audit.checkpoint` row in the same transaction. The time of a row counts only if the clock
was synced: an unsynced row is restamped later, and then its time must be what its `audit.clock_set` row says.

The hash: SHA-256 of the JSON array [hash before (hex, "" at the beginning), seq, id, class, name, subject, microseconds
(null unless synced), synced (bool), uptime_ms, boot_id, passage, origin, data (text), gaps (text)], UTF-8, no spaces.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.clock import ClockTrust, Stamp, now
from gateway.journal import schema
from gateway.types import Event, EventClass

CHAINED = (EventClass.ALARM, EventClass.AUDIT)
CHECKPOINT = "audit.checkpoint"
CLOCK_SET = "audit.clock_set"

Heads = dict[str, str]  # class -> hash of its newest row; "" before the first


def link(before: str, row: Sequence[Any]) -> str:
    """The hash of a row, its values in the order of `schema.EVENT_COLUMNS`."""
    time_us, clock = row[5:7]
    synced = clock == ClockTrust.SYNCED.value
    covered = [before, *row[:5], time_us if synced else None, synced, *row[7:13]]
    return hashlib.sha256(json.dumps(covered, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def extend(heads: Heads, row: Sequence[Any]) -> str:
    """Chain a new row to its class, which is one of `heads`."""
    kind = row[2]
    heads[kind] = link(heads[kind], row)
    return heads[kind]


def begin(connection: sqlite3.Connection) -> None:
    """Chain the rows of a program that had no chain; inside the caller's transaction."""
    found = dict.fromkeys((kind.value for kind in CHAINED), "")
    for kind in CHAINED:
        rows = connection.execute(
            f"SELECT {schema.EVENT_COLUMNS} FROM events WHERE class = ? ORDER BY seq", (kind.value,)
        )
        hashes = [(extend(found, row), row[0]) for row in rows]
        connection.executemany("UPDATE events SET chain = ? WHERE seq = ?", hashes)


def heads(connection: sqlite3.Connection) -> Heads:
    """Where the chains end in this file."""
    passed = passed_away(connection)
    found: Heads = {}
    for kind in CHAINED:
        newest = connection.execute(
            "SELECT chain FROM events WHERE class = ? ORDER BY seq DESC LIMIT 1", (kind.value,)
        ).fetchone()
        last = newest[0] if newest else passed.get(kind.value, {}).get("hash")
        found[kind.value] = last or ""
    return found


def passed_away(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Per class the last row that a purge took: {"upto": seq, "hash": hex}."""
    fact = connection.execute("SELECT value FROM facts WHERE name = 'checkpoint'").fetchone()
    found: dict[str, dict[str, Any]] = json.loads(fact[0]) if fact else {}
    return found


def checkpoint(connection: sqlite3.Connection, kind: EventClass, seqs: Sequence[int]) -> Event:
    """Remember where the chain of `kind` will begin once its oldest rows, `seqs`, are gone; return what tells of it.

    Each checkpoint repeats those of the other classes, so that the newest one is always enough.
    """
    ((last,),) = connection.execute("SELECT chain FROM events WHERE seq = ?", (seqs[-1],)).fetchall()
    chains = passed_away(connection) | {kind.value: {"upto": seqs[-1], "hash": last or ""}}
    connection.execute("INSERT OR REPLACE INTO facts VALUES ('checkpoint', ?)", (json.dumps(chains),))
    data = {"class": kind.value, "from": seqs[0], "to": seqs[-1], "count": len(seqs), "chains": chains}
    return Event(CHECKPOINT, "journal", now(), data)


def clock_set(boot: str, at: Stamp, booted: datetime, count: int, shift_us: int) -> Event:
    """`count` rows of a boot got the time that their uptime means, the boot having begun at `booted`."""
    data = {
        "boot_id": boot,
        "booted_at": booted.isoformat(timespec="microseconds"),
        "count": count,
        "shift_s": round(shift_us / 1e6, 3),
    }
    return Event(CLOCK_SET, "clock", at, data)


def begins_after(checkpoint_data: Mapping[str, Any], kind: str) -> tuple[int, str]:
    """From a checkpoint's data: the last purged sequence of a class and its hash; (0, "") if none was purged."""
    found = checkpoint_data.get("chains", {}).get(kind, {})
    return int(found.get("upto", 0)), str(found.get("hash", ""))
