"""What happens to a damaged journal: set aside, its readable rows carried over into a fresh file.

Rule: the service always starts. The damaged file stays where it is until the fresh one is complete, so that a power cut
in the middle only starts the work again. One damaged file is kept for inspection, for 30 days and not more: it holds
personal data.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.clock import now
from gateway.journal import migrations, pages, schema
from gateway.journal.values import parse_gaps
from gateway.text import Text
from gateway.types import Event, EventClass

log = logging.getLogger(__name__)

_LANES = {"alarm", "live", "backlog", "begin"}
_FACTS = {"lasts", "purged", "checkpoint", "unset"}
_CLASSES = {kind.value for kind in EventClass}
_BATCH = 500


def inspect(path: Path) -> str | None:
    """Return what is wrong with the file, None if it is sound or not there. Raises `StoreError` if unreadable."""
    fresh = _fresh(path)
    if not path.exists():
        if fresh.exists():  # a power cut between the two renames of `replace`
            fresh.rename(path)
        return None
    try:
        with closing(schema.open_reader(path)) as connection:  # a writer would remove the log as it closes
            ((verdict,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
            ((version,),) = connection.execute("PRAGMA user_version").fetchall()
            ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'events'").fetchall()
    except sqlite3.Error as error:
        if schema.is_damage(error):
            return str(error)
        raise schema.refusal(error, Text("事件库无法打开", "the journal cannot be opened")) from error
    if verdict != "ok":
        return str(verdict)
    return "its header was overwritten" if bool(version) != bool(tables) else None


def replace(path: Path, at: datetime) -> None:
    """Put a fresh file with the readable rows in the place of a damaged one, which is renamed beside it."""
    fresh = _fresh(path)
    _remove(fresh)
    try:
        count = _carry_over(path, fresh)
        log.warning("carried over %d readable events", count)
    except (sqlite3.Error, OSError) as error:  # no room for a second file, for instance: start empty rather than not
        log.warning("nothing could be carried over from the damaged journal: %s", error)
        _remove(fresh)
    for old in migrations.aside(path):
        old.unlink()
    aside = path.with_name(f"{path.stem}.damaged-{at:%Y%m%dT%H%M%S}{path.suffix}")
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
            os.utime(aside.with_name(aside.name + ending))  # it is kept for so long from now on
    if fresh.exists():
        fresh.rename(path)
    schema.sync_folder(path.parent)


def holes(seqs: Iterable[int], purged: int, upto: int) -> tuple[int, int, int] | None:
    """First, last and number of sequences that are missing and were not purged; None if none are.

    Up to `purged` the retention may have taken any row, so what is missing there is not held to be lost.
    """
    first, last, count, expected = 0, 0, 0, purged + 1
    for seq in seqs:
        if seq > expected:
            first, last, count = first or expected, seq - 1, count + seq - expected
        expected = max(expected, seq + 1)
    if upto >= expected:
        first, last, count = first or expected, upto, count + upto + 1 - expected
    return (first, last, count) if count else None


def has_log(path: Path) -> bool:
    """Whether SQLite's log lies beside the file: it does from the opening to the closing."""
    return path.with_name(f"{path.name}-wal").exists()


def told(cause: str, missing: tuple[int, int, int] | None) -> list[Event]:
    """The alarm, and the loss where sequences are missing: from, to, how many."""
    stamp = now()
    events = [Event("alarm.journal_damaged", "journal", stamp, {"state": "raised", "severity": 2, "cause": cause})]
    if missing:
        first, last, count = missing
        data = {"class": "*", "from": first, "to": last, "count": count, "cause": "damage"}
        events.append(Event("loss", "journal", stamp, data))
    return events


def _carry_over(damaged: Path, fresh: Path) -> int:
    count = 0
    with closing(schema.open_writer(fresh, synced=False)) as connection:
        migrations.prepare(connection)
        connection.execute("BEGIN")
        for rowid, values in pages.records(damaged):
            statement, row = _recognise(rowid, values)
            if statement:
                connection.execute(statement, row)
                count += statement is _KEEP_EVENT
            if count % _BATCH == _BATCH - 1:
                connection.execute("COMMIT")
                connection.execute("BEGIN")
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    descriptor = os.open(fresh, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return count


_KEEP_EVENT = schema.INSERT_EVENT.replace("INSERT", "INSERT OR IGNORE", 1)


def _recognise(rowid: int, values: tuple[pages.Value, ...]) -> tuple[str, tuple[Any, ...]]:
    """Which table a record belongs to, by its shape; ("", ()) if to none."""
    match values:
        case (None, str(), kind, str(), str(), int(), str(), int(), str(), _, _, str(data), str(gaps), *rest):
            # Rows from before the chain are one value shorter: SQLite adds a column without touching them.
            if kind in _CLASSES and rowid > 0 and len(rest) < 2 and _parses(data, gaps):
                return _KEEP_EVENT, (rowid, *values[1:13], rest[0] if rest else None)
        case (str(), str(lane), int(), int()) if lane.partition(".")[0] in _LANES:
            return schema.INSERT_CURSOR, values
        case (str(), int(), str()):
            return "INSERT OR IGNORE INTO dead_letters VALUES (?, ?, ?)", values
        case (name, str(value)) if name in _FACTS and _parses(value, "0"):
            if value.isdecimal():  # `purged` of the first program: one sequence for all classes
                value = json.dumps(dict.fromkeys(sorted(_CLASSES), int(value)))
            return "INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, value)
    return "", ()


def _parses(data: str, gaps: str) -> bool:
    try:
        json.loads(data)
        parse_gaps(gaps)
    except ValueError:
        return False
    return True


def _fresh(path: Path) -> Path:
    return path.with_name(f"{path.stem}.salvage{path.suffix}")


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
