"""The tables of the roster file, and how rows go in and come out.

Rule: knows SQL and nothing else; who may change what, and when, is `gateway.roster`'s.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

from gateway.credentials import Credential, Format
from gateway.errors import StoreError
from gateway.roster_cells import Row
from gateway.text import Text

# One entry a version; what is written here once is never changed, only followed by the next.
_MIGRATIONS = (
    """
    CREATE TABLE holders (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, category TEXT NOT NULL, room TEXT NOT NULL,
        points TEXT, valid_from TEXT, valid_until TEXT, status TEXT NOT NULL
    ) STRICT;
    CREATE TABLE cards (
        holder_id TEXT NOT NULL REFERENCES holders (id) ON DELETE CASCADE, format TEXT NOT NULL, value BLOB NOT NULL
    ) STRICT;
    CREATE INDEX cards_of_holder ON cards (holder_id);
    CREATE TABLE plates (
        holder_id TEXT NOT NULL REFERENCES holders (id) ON DELETE CASCADE, number TEXT NOT NULL
    ) STRICT;
    CREATE INDEX plates_of_holder ON plates (holder_id);
    CREATE TABLE changes (count INTEGER NOT NULL, day TEXT) STRICT;
    INSERT INTO changes VALUES (0, NULL);
    """,
)
_SAVE = "INSERT INTO holders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


def open_base(path: Path) -> sqlite3.Connection:
    """Open the file, made or brought to this version where needed. Raises `sqlite3.Error`, `OSError`, `StoreError`."""
    if not path.exists():
        _create(path)
    base = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    try:
        base.execute("PRAGMA foreign_keys = ON")
        base.execute("PRAGMA secure_delete = ON")  # who moved out is overwritten, not only unlinked
        base.execute("PRAGMA synchronous = FULL")
        (version,) = base.execute("PRAGMA user_version").fetchone()
        if version < len(_MIGRATIONS):
            _migrate(base)
        elif version > len(_MIGRATIONS):
            raise StoreError(
                Text("名册由更新的版本写成", "the roster was written by a newer version"),
                hint=Text("升级本程序", "upgrade this program"),
            )
    except (sqlite3.Error, StoreError):
        base.close()
        raise
    return base


def _create(path: Path) -> None:
    """Names and card numbers: for the owner's eyes. Made by root, the file goes to whom the folder belongs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        owner = path.parent.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        os.close(descriptor)


def _migrate(base: sqlite3.Connection) -> None:
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("BEGIN IMMEDIATE")
    (version,) = base.execute("PRAGMA user_version").fetchone()  # another process may have been first
    for number, script in enumerate(_MIGRATIONS[version:], version + 1):
        for statement in script.split(";"):
            base.execute(statement)
        base.execute(f"PRAGMA user_version = {number}")
    base.execute("COMMIT")


def delete(base: sqlite3.Connection, holder_ids: Iterable[str]) -> None:
    base.executemany("DELETE FROM holders WHERE id = ?", ((holder_id,) for holder_id in holder_ids))


def insert(base: sqlite3.Connection, rows: Iterable[Row]) -> None:
    rows = tuple(rows)
    base.executemany(_SAVE, (_fields(row) for row in rows))
    cards = ((row.holder_id, card.format.value, card.value) for row in rows for card in row.cards)
    base.executemany("INSERT INTO cards VALUES (?, ?, ?)", cards)
    plates = ((row.holder_id, plate) for row in rows for plate in row.plates)
    base.executemany("INSERT INTO plates VALUES (?, ?)", plates)


def _fields(row: Row) -> tuple[str | None, ...]:
    points = None if row.points is None else ";".join(sorted(row.points))
    days = (day.isoformat() if day else None for day in (row.valid_from, row.valid_until))
    return (row.holder_id, row.name, row.kind, row.category, row.room, points, *days, row.status)


def mark_change(base: sqlite3.Connection) -> None:
    """What `changes` tells other processes: that there is something new."""
    base.execute("UPDATE changes SET count = count + 1, day = date('now')")


def last_change(base: sqlite3.Connection) -> tuple[int, date | None]:
    """How many changes there were, and the day of the last one."""
    count, day = base.execute("SELECT count, day FROM changes").fetchone()
    return count, date.fromisoformat(day) if day else None


def rows_of(base: sqlite3.Connection) -> Iterator[Row]:
    """Every holder, by id. Raises `StoreError` where the file says what no import wrote."""
    try:
        yield from _rows(base)
    except ValueError as error:
        raise StoreError(
            Text("名册内容已损坏：{error}", "the roster is damaged: {error}").with_(error=error),
            hint=Text("移走文件并重新导入", "move the file away and import again"),
        ) from error


def _rows(base: sqlite3.Connection) -> Iterator[Row]:
    cards: dict[str, tuple[Credential, ...]] = {}
    for holder_id, form, value in base.execute("SELECT holder_id, format, value FROM cards ORDER BY rowid"):
        cards[holder_id] = (*cards.get(holder_id, ()), Credential(Format(form), value))
    plates: dict[str, tuple[str, ...]] = {}
    for holder_id, number in base.execute("SELECT holder_id, number FROM plates ORDER BY rowid"):
        plates[holder_id] = (*plates.get(holder_id, ()), number)
    points = _PointSets()
    for entry in base.execute("SELECT * FROM holders ORDER BY id"):
        holder_id, name, kind, category, room, where, valid_from, valid_until, status = entry
        begins, ends = (date.fromisoformat(day) if day else None for day in (valid_from, valid_until))
        cards_here, plates_here = cards.get(holder_id, ()), plates.get(holder_id, ())
        yield Row(holder_id, name, kind, category, room, cards_here, plates_here, points[where], begins, ends, status)


class _PointSets(dict[str | None, frozenset[str] | None]):
    """Thousands of holders share a few sets of points."""

    def __missing__(self, written: str | None) -> frozenset[str] | None:
        self[written] = None if written is None else frozenset(written.split(";"))
        return self[written]
