"""Reading the journal: rows in sequence order, from any thread, also from another process while the daemon runs.

Rule: reads are short and bounded, one connection per thread; nothing here can change the file.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.errors import StoreError
from gateway.journal import purge, schema, weights
from gateway.journal.values import CLASSES, NO_LIMIT, ROTTEN, Cursor, Pending, Row, Usage, microseconds, row_of
from gateway.text import Text
from gateway.types import EventClass

log = logging.getLogger(__name__)


class JournalReader:
    """Thread-safe view of the journal file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._generation = 0  # rises when the file was replaced
        self._opened: list[sqlite3.Connection] = []

    def read_after(
        self, seq: int, classes: Collection[EventClass], limit: int, *, upto: int | None = None
    ) -> list[Row]:
        """Return at most `limit` events of `classes` after `seq` (and not after `upto`), in sequence order."""
        wanted = [kind for kind in CLASSES if kind in classes]
        last = NO_LIMIT if upto is None else upto
        if not wanted or limit < 1:
            return []
        select = f"SELECT {schema.EVENT_COLUMNS} FROM events WHERE seq > ? AND seq <= ?"
        if len(wanted) == len(CLASSES):
            return self._rows(f"{select} ORDER BY seq LIMIT ?", (seq, last, limit))
        # One range of the index per class, merged by SQLite: never walks over the rows of other classes.
        parts = " UNION ALL ".join(f"{select} AND class = ?" for _ in wanted)
        values = [value for kind in wanted for value in (seq, last, kind.value)]
        return self._rows(f"{parts} ORDER BY seq LIMIT ?", (*values, limit))

    def history(self, *, after: int = 0, since: datetime | None = None, glob: str = "*", limit: int = 500) -> list[Row]:
        """Return events captured at or after `since` whose type (`compound.….v1`) or name matches `glob`."""
        return self._rows(
            f"SELECT {schema.EVENT_COLUMNS} FROM events WHERE seq > ? AND time_us >= ?"
            " AND (name GLOB ? OR 'compound.' || name || '.v1' GLOB ?) ORDER BY seq LIMIT ?",
            (after, microseconds(since) if since else -NO_LIMIT, glob, glob, limit),
        )

    def count_after(self, seq: int, classes: Collection[EventClass], *, upto: int | None = None) -> int:
        """How many events of `classes` lie after `seq` (and not after `upto`)."""
        last = NO_LIMIT if upto is None else upto
        marks = ", ".join("?" * len(classes))
        ((count,),) = self._query(
            f"SELECT count(*) FROM events WHERE class IN ({marks}) AND seq > ? AND seq <= ?",
            (*(kind.value for kind in classes), seq, last),
        )
        return int(count)

    def cursors(self, uplink: str) -> list[Cursor]:
        """Where the lanes of an uplink stand; empty for a new uplink."""
        found = self._query("SELECT lane, after, upto FROM cursors WHERE uplink = ? ORDER BY rowid", (uplink,))
        return [Cursor(lane, after, None if upto == NO_LIMIT else upto) for lane, after, upto in found]

    def pending(self, uplink: str, classes: Collection[EventClass]) -> Pending:
        """What an uplink has not passed, by its saved cursors (up to a second old), dead letters left out."""
        count, oldest = 0, []
        for cursor in self.cursors(uplink) or [Cursor("alarm", 0, None), Cursor("live", 0, None)]:
            if cursor.after == cursor.upto:
                continue
            alarms = cursor.lane == "alarm"
            wanted = [kind for kind in classes if (kind is EventClass.ALARM) == alarms]
            count += self.count_after(cursor.after, wanted, upto=cursor.upto)
            oldest += self.read_after(cursor.after, wanted, 1, upto=cursor.upto)
        return Pending(count, min((row.time for row in oldest), default=None))

    def dead_letters(self, uplink: str, after: int, limit: int) -> list[Row]:
        """Events that the broker refused for good, in sequence order."""
        columns = ", ".join(f"events.{name.strip()}" for name in schema.EVENT_COLUMNS.split(","))
        return self._rows(
            f"SELECT {columns} FROM dead_letters JOIN events USING (seq)"
            " WHERE dead_letters.uplink = ? AND dead_letters.seq > ? ORDER BY dead_letters.seq LIMIT ?",
            (uplink, after, limit),
        )

    def refusals(self, uplink: str, limit: int) -> list[tuple[Row, str]]:
        """The oldest dead letters of an uplink, each with its reason."""
        found = self._query(
            "SELECT seq, reason FROM dead_letters WHERE uplink = ? ORDER BY seq LIMIT ?", (uplink, limit)
        )
        rows = {row.seq: row for row in self.dead_letters(uplink, 0, limit)}
        return [(rows[seq], reason) for seq, reason in found if seq in rows]

    def count_refusals(self, uplink: str) -> dict[str, int]:
        """How many dead letters there are for each reason, the commonest first."""
        counted = "SELECT reason, count(*) FROM dead_letters WHERE uplink = ? GROUP BY reason ORDER BY 2 DESC LIMIT 20"
        return dict(self._query(counted, (uplink,)))

    def count_dead(self, uplink: str) -> int:
        ((count,),) = self._query("SELECT count(*) FROM dead_letters WHERE uplink = ?", (uplink,))
        return int(count)

    def purged(self) -> dict[str, int]:
        """Per class the highest sequence that was ever purged."""
        try:
            return purge.purged(self._connection())
        except sqlite3.Error as error:
            raise _unreadable(error) from error

    def stats(self) -> dict[str, Any]:
        """Counts per class, first and last sequence, bytes on disk."""
        classes = dict(self._query("SELECT class, count(*) FROM events GROUP BY class", ()))
        ends = "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events)"  # min, max in one read all rows
        ((first, last),) = self._query(ends, ())
        return {
            "events": sum(classes.values()),
            "classes": classes,
            "first": first,
            "last": last,
            "bytes": self._size(),
        }

    def usage(self) -> Usage:
        """What each class takes, and what has been added of late. Quick where the daemon has counted (`weigh`)."""
        try:
            known = weights.read(self._connection())
            while weights.count_on(self._connection(), known):
                pass
        except sqlite3.Error as error:
            raise _unreadable(error) from error
        recent: Counter[str] = Counter()
        for day in known.days.values():
            recent.update(day.of)
        first = min((day.first_us for day in known.days.values()), default=0)
        return Usage(
            held={EventClass(kind): size for kind, size in known.of.items()},
            recent={EventClass(kind): size for kind, size in recent.items()},
            span_s=(max((day.last_us for day in known.days.values()), default=0) - first) / 1e6,
            file=self._size(),
        )

    def newest(self, name: str) -> Row | None:
        """The last event of a name, which must be a rare class: the others are passed over."""
        found = self._rows(
            f"SELECT {schema.EVENT_COLUMNS} FROM events WHERE class = ? AND name = ? ORDER BY seq DESC LIMIT 1",
            (name.partition(".")[0], name),
        )
        return found[0] if found else None

    @property
    def folder(self) -> Path:
        return self._path.parent

    def renew(self) -> None:
        """Another file lies at the path: each thread opens it at its next reading."""
        self._generation += 1

    def close(self) -> None:
        """Close the connections of all threads; none may be reading."""
        self.renew()
        while self._opened:
            self._opened.pop().close()

    def give_up(self, seq: int, why: str) -> bool:
        """A row is not what was once written; whether it is out of the way. A mere reader passes it over."""
        log.warning("event %d is damaged on the disk and passed over: %s", seq, why)
        return False

    def _rows(self, sql: str, values: Sequence[Any]) -> list[Row]:
        while True:
            with suppress(sqlite3.Error, *ROTTEN), closing(self._connection().execute(sql, values)) as found:
                return [row_of(record) for record in found]
            rows, is_mended = self._sound_rows(sql, values)
            if not is_mended:
                return rows

    def _sound_rows(self, sql: str, values: Sequence[Any]) -> tuple[list[Row], bool]:
        """The rows but the damaged ones; whether any of these is out of the way now, so that others may take its place.

        SQLite checks pages, never the text in them.
        """
        connection = self._connection()
        connection.text_factory = _decode_any
        try:
            found = self._query(sql, values)
        finally:
            connection.text_factory = str
        rows, is_mended = [], False
        for record in found:
            try:
                "".join(value for value in record if isinstance(value, str)).encode()  # fails for what is no UTF-8
                rows.append(row_of(record))
            except ROTTEN as error:
                is_mended |= self.give_up(record[0], f"{type(error).__name__}: {error}")
        return rows, is_mended

    def _query(self, sql: str, values: Sequence[Any]) -> list[Any]:
        try:
            return self._connection().execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _unreadable(error) from error

    def _size(self) -> int:
        files = [self._path, self._path.with_name(self._path.name + "-wal")]
        return sum(file.stat().st_size for file in files if file.exists())

    def _connection(self) -> sqlite3.Connection:
        if getattr(self._own, "generation", None) != self._generation:
            if not self._path.exists():
                raise StoreError(
                    Text("{path} 处没有事件库", "there is no journal at {path}").with_(path=self._path),
                    hint=Text("网关在此运行过吗？", "has the gateway run here yet?"),
                )
            self._close_own()
            generation = self._generation
            try:
                self._own.connection = schema.open_reader(self._path)
            except sqlite3.Error as error:
                raise _unreadable(error) from error
            self._own.generation = generation
            self._opened.append(self._own.connection)
        connection: sqlite3.Connection = self._own.connection
        return connection

    def _close_own(self) -> None:
        """This thread's, to a file that was replaced: open, it would keep a deleted one on the disk."""
        before: sqlite3.Connection | None = self._own.__dict__.pop("connection", None)
        if before is not None:
            with suppress(ValueError):  # closed with all others
                self._opened.remove(before)
            before.close()


def _decode_any(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _unreadable(error: sqlite3.Error) -> StoreError:
    return schema.refusal(error, Text("事件库无法读取", "the journal cannot be read"))
