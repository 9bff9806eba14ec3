"""The roster file as the daemon reads it: plain sqlite3, which costs no memory (sqlite-utils loads numpy).

Rule: reading never makes or changes a file. Who writes it, and its tables, are `gateway.roster.writing`'s.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote

from gateway.credentials import Credential, Format
from gateway.errors import StoreError
from gateway.roster.cells import Row
from gateway.text import Text

MIGRATIONS = ("first", "datasets")  # that this version knows, in their order


def refuse_newer(applied: Iterable[str]) -> None:
    """Raises `StoreError` where a migration was applied that this version does not know."""
    if set(applied) - set(MIGRATIONS):
        raise StoreError(
            Text("名册由更新的版本写成", "the roster was written by a newer version"),
            hint=Text("升级本程序", "upgrade this program"),
        )


def open_to_read(path: Path) -> sqlite3.Connection | None:
    """Open a roster; None where nobody has written one yet. Raises `sqlite3.Error` or `StoreError`."""
    if not path.exists():
        return None
    base = sqlite3.connect(f"file:{quote(path.as_posix())}?mode=rw", uri=True, timeout=5.0, isolation_level=None)
    try:
        base.execute("PRAGMA query_only = ON")
        if base.execute("SELECT 1 FROM sqlite_master WHERE name = 'changes'").fetchone():
            refuse_newer(name for (name,) in base.execute("SELECT name FROM _sqlite_migrations"))
            return base
    except (sqlite3.Error, StoreError):
        base.close()
        raise
    base.close()  # it is being made at this moment
    return None


def last_change(base: sqlite3.Connection) -> tuple[int, date | None]:
    """How many changes there were, and the day of the last one."""
    count, day = base.execute("SELECT count, day FROM changes").fetchone()
    return count, date.fromisoformat(day) if day else None


def dataset_of(base: sqlite3.Connection, name: str) -> tuple[int, str]:
    """The version of a platform's dataset that was applied last, and its digest; 0 where none was."""
    if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'datasets'").fetchone():
        return 0, ""  # a file of the version before, not written to since
    found = base.execute("SELECT version, digest FROM datasets WHERE name = ?", (name,)).fetchone()
    return found or (0, "")


def rows_of(base: sqlite3.Connection) -> Iterator[Row]:
    """Every holder, by id. Raises `StoreError` where the file says what no import wrote."""
    try:
        yield from _rows(base)
    except ValueError as error:
        raise StoreError(
            Text("名册内容已损坏：{error}", "the roster is damaged: {error}").with_(error=error),
            hint=Text(
                "移走文件，重新导入后用 shred -u 销毁（内有姓名和卡号）",
                "move the file away, import again, then shred -u it: it holds names and card numbers",
            ),
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
