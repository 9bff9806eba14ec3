"""The roster file as it is written: schema, migrations and inserts, by sqlite-utils.

Rule: only commands that change the roster import this module; the daemon reads (`gateway.roster.reading`).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from gateway.ownership import give
from gateway.roster.cells import Row
from gateway.roster.reading import refuse_newer

_migrations = Migrations("roster")


# What a migration did once is never changed, only followed by the next.
@_migrations()
def first(base: Database) -> None:
    """Holders with their cards and plates, and a counter that tells other processes of a change."""
    base.table("holders").create(
        dict.fromkeys(("id", "name", "kind", "category", "room", "points", "valid_from", "valid_until", "status"), str),
        pk="id",
        not_null={"name", "kind", "category", "room", "status"},
        strict=True,
    )
    base.execute(
        "CREATE TABLE cards (holder_id TEXT NOT NULL REFERENCES holders (id) ON DELETE CASCADE,"
        " format TEXT NOT NULL, value BLOB NOT NULL) STRICT"
    )
    base.execute(
        "CREATE TABLE plates (holder_id TEXT NOT NULL REFERENCES holders (id) ON DELETE CASCADE,"
        " number TEXT NOT NULL) STRICT"
    )
    for table in ("cards", "plates"):
        base.table(table).create_index(["holder_id"])
    base.table("changes").insert({"count": 0, "day": None}, columns={"count": int, "day": str}, strict=True)


@_migrations()
def datasets(base: Database) -> None:
    """How far the roster follows a platform: the last version that was applied, and what it said (SHA-256)."""
    base.execute("CREATE TABLE datasets (name TEXT PRIMARY KEY, version INTEGER NOT NULL, digest TEXT NOT NULL) STRICT")


def open_to_write(path: Path) -> Database:
    """Open the file, made or brought to this version where needed, and begin a transaction on it.

    Raises `sqlite3.Error`, `OSError`, or `StoreError` for a file that a newer version wrote.
    """
    _create(path)
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    try:
        for setting in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL", "journal_mode = WAL"):
            connection.execute(f"PRAGMA {setting}")
        base = Database(connection)
        _upgrade(base, path)
        connection.execute("BEGIN IMMEDIATE")
    except BaseException:
        connection.close()
        raise
    return base


def _upgrade(base: Database, path: Path) -> None:
    """Apply what is pending, after a copy of what is there."""
    applied = [migration.name for migration in _migrations.applied(base)]
    refuse_newer(applied)
    if applied and _migrations.pending(base):
        copy(base.conn, _before_upgrade(path))
    _migrations.apply(base)


def forget_upgrade(path: Path) -> None:
    """A change went well on the new tables: the copy would go on naming those who leave."""
    _before_upgrade(path).unlink(missing_ok=True)


def _before_upgrade(path: Path) -> Path:
    return path.with_suffix(".before-upgrade.db")


def _create(path: Path) -> None:
    """Names and card numbers: for the owner's eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        give(path, path.parent)


def copy(connection: sqlite3.Connection, into: Path) -> None:
    """A consistent copy, in place only once it is whole and on the disk; that of the last change stays."""
    draft = into.with_name(f".{into.name}")
    with _alone(into.parent):
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            connection.execute("VACUUM INTO ?", (str(draft),))
            os.fsync(descriptor)
            give(draft, into.parent)
            draft.rename(into)
        except (sqlite3.Error, OSError):
            draft.unlink(missing_ok=True)  # names and card numbers, and room that a full disk lacks
            raise
        finally:
            os.close(descriptor)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: the change is committed, and two may copy what follows."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def delete(base: Database, holder_ids: Iterable[str]) -> None:
    base.conn.executemany("DELETE FROM holders WHERE id = ?", ((holder_id,) for holder_id in holder_ids))


def insert(base: Database, rows: Iterable[Row]) -> None:
    rows = tuple(rows)
    base.table("holders").insert_all(_holder(row) for row in rows)
    base.table("cards").insert_all(
        {"holder_id": row.holder_id, "format": card.format.value, "value": card.value}
        for row in rows
        for card in row.cards
    )
    base.table("plates").insert_all(
        {"holder_id": row.holder_id, "number": plate} for row in rows for plate in row.plates
    )


def mark_change(base: Database) -> None:
    """What `changes` tells other processes: that there is something new, and since which day."""
    base.execute("UPDATE changes SET count = count + 1, day = date('now')")


def set_version(base: Database, dataset: str, version: int, digest: str) -> None:
    base.execute("INSERT OR REPLACE INTO datasets VALUES (?, ?, ?)", (dataset, version, digest))


def set_status(base: Database, holder_id: str, status: str) -> None:
    base.execute("UPDATE holders SET status = ? WHERE id = ?", (status, holder_id))


def _holder(row: Row) -> dict[str, str | None]:
    return {
        "id": row.holder_id,
        "name": row.name,
        "kind": row.kind,
        "category": row.category,
        "room": row.room,
        "points": None if row.points is None else ";".join(sorted(row.points)),
        "valid_from": row.valid_from.isoformat() if row.valid_from else None,
        "valid_until": row.valid_until.isoformat() if row.valid_until else None,
        "status": row.status,
    }
