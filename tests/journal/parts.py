"""A journal to damage, and what is left of it."""

from __future__ import annotations

from pathlib import Path

from gateway.journal import Cursor, Journal, Row
from gateway.types import EventClass
from tests.facts import BOOT, event

ALL = list(EventClass)
COUNT = 400


def fill(path: Path, count: int = COUNT) -> None:
    journal = Journal(path)
    journal.append([event(n, data={"padding": "word " * 40}) for n in range(count)], BOOT)
    cursors = [Cursor("alarm", 17, None), Cursor("live", 17, None), Cursor("begin", 5, 5)]
    cursors.append(Cursor("begin.access", 7, 7))
    journal.save_cursors("city", cursors, buried=[(3, "no")])
    journal.close()


def rows_of(path: Path) -> tuple[list[Row], list[Row]]:
    """What lies in the journal now: the old events, and what the journal itself had to tell."""
    journal = Journal(path)
    rows = journal.read_after(0, ALL, 10_000)
    journal.close()
    return [row for row in rows if "number" in row.data], [row for row in rows if "number" not in row.data]


def overwrite(path: Path, at: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * size)
