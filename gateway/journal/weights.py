"""How many bytes of the file each class of events takes.

Rule: nothing is counted while events are kept. What has been added since is counted when somebody asks, a bounded
number of rows at a time, and remembered in the file; what is deleted is taken off in the same transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

OVERHEAD = 240  # bytes of a row beside its data: the other columns, its index entry, its share of unused space
WEIGHT = f"{OVERHEAD} + length(CAST(data AS BLOB))"
_AT_ONCE = 20_000  # rows counted in one go: an old journal is large, and its lock is not held for long
_SAVE_AFTER = 1000  # rows: a quiet box does not write for this alone


@dataclass(slots=True)
class Weights:
    """`upto`: rows after it are not in `of` yet. `is_whole`: there are none of them."""

    upto: int = 0
    of: dict[str, int] = field(default_factory=dict)
    is_whole: bool = False


def weigh(connection: sqlite3.Connection) -> Weights:
    """Count on, inside the caller's transaction, and return what is known."""
    fact = connection.execute("SELECT value FROM facts WHERE name = 'weights'").fetchone()
    found = Weights(*json.loads(fact[0])) if fact else Weights()
    ((newest,),) = connection.execute("SELECT coalesce(max(seq), 0) FROM events")
    saved, end = found.upto, min(newest, found.upto + _AT_ONCE)
    for kind, added in connection.execute(
        f"SELECT class, sum({WEIGHT}) FROM events WHERE seq > ? AND seq <= ? GROUP BY class", (found.upto, end)
    ):
        found.of[kind] = found.of.get(kind, 0) + added
    found.upto, found.is_whole = max(found.upto, end), end == newest
    if found.upto - saved >= _SAVE_AFTER:
        _save(connection, found)
    return found


def take_off(connection: sqlite3.Connection, kind: str, seqs: Sequence[int]) -> None:
    """Rows of a class are about to be deleted in the caller's transaction."""
    found = weigh(connection)
    ((gone,),) = connection.execute(
        f"SELECT coalesce(sum({WEIGHT}), 0) FROM events WHERE seq IN (SELECT value FROM json_each(?)) AND seq <= ?",
        (json.dumps(seqs), found.upto),
    )
    found.of[kind] = max(0, found.of.get(kind, 0) - gone)
    _save(connection, found)


def _save(connection: sqlite3.Connection, found: Weights) -> None:
    value = json.dumps([found.upto, found.of])
    connection.execute("INSERT OR REPLACE INTO facts VALUES ('weights', ?)", (value,))
