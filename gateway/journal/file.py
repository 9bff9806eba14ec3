"""The file under the journal: opened, repaired, written in transactions that leave no gap in the sequence.

Rule: the sequence moves only with a commit. After a commit that failed nobody knows whether it reached the disk, so the
file is asked before the next one. The journal holds its lock around every call.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from gateway.clock import Stamp, boot_id, now
from gateway.errors import StoreError
from gateway.journal import chain, migrations, purge, repair, restamp, schema, weights
from gateway.journal.ages import Ages
from gateway.journal.entry import CLASS, ID, ORIGIN, Entry, write_down
from gateway.journal.sequence import SequenceFile
from gateway.journal.values import PLACES, ROTTEN, last_per_class, parse_gaps, write_gaps
from gateway.text import Text
from gateway.types import Event, EventClass

log = logging.getLogger(__name__)

_MOST_TOLD = 2  # events that tell of one deed: a checkpoint or an alarm, and a loss


class JournalFile:
    """Not thread-safe. Errors of SQLite leave it as they are: the journal names what was being done."""

    def __init__(self, path: Path, on_replace: Callable[[], None]) -> None:
        self._path = path
        self._where = os.fspath(path)  # asked before every commit: a `Path` answers more slowly
        self._on_replace = on_replace  # another file lies at `path` now
        self._sequence = SequenceFile(path.with_suffix(".seq"))
        self.last = self.weighed = 0
        self._lasts = [0] * len(PLACES)  # the last sequence of each class, in their order
        self._heads: chain.Heads = {}
        self._unset: restamp.Unset | None = None
        self._ages: dict[EventClass | None, Ages] = defaultdict(Ages)
        self._begun: set[purge.Step] = set()  # also by a purge that was to stop early
        self._doubtful = 0  # after a failed commit: the first sequence that is not certain
        try:
            self._open()
        except StoreError:
            self._sequence.close()
            raise

    def append(self, entries: Sequence[Entry]) -> list[int]:
        """Keep `entries` in one synced transaction; return their sequences. A damaged file is replaced on the way."""
        try:
            return self._write(entries)
        except sqlite3.Error as error:
            if not schema.is_damage(error):
                raise
            self._recover(str(error))
            return self._write(entries)

    def save_cursors(
        self,
        uplink: str,
        cursors: Sequence[tuple[str, int, int]],
        buried: Iterable[tuple[int, str]],
        revived: Iterable[int],
    ) -> None:
        """Replace the cursors (lane, after, upto) of an uplink, add and remove dead letters. Not synced by itself."""
        try:
            self._cursor_writer.execute("BEGIN IMMEDIATE")
            run = self._cursor_writer.executemany
            run("DELETE FROM cursors WHERE uplink = ?", [(uplink,)])
            run(schema.INSERT_CURSOR, [(uplink, *cursor) for cursor in cursors])
            run("INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?)", [(uplink, *entry) for entry in buried])
            run("DELETE FROM dead_letters WHERE uplink = ? AND seq = ?", [(uplink, seq) for seq in revived])
            self._cursor_writer.execute("COMMIT")
        except sqlite3.Error:
            _roll_back(self._cursor_writer)
            raise

    def has_unset(self, boot: str) -> bool:
        """Whether there are events of a boot that have not got their true time yet."""
        return self._unset is not None and self._unset.boot == boot

    def restamp(self, boot: str, at: Stamp) -> int:
        """Give the next unsynced events of a boot the time that their uptime means, and tell of it; return how many."""
        unset = self._unset
        if unset is None or unset.boot != boot:
            return 0
        told: list[Event] = []
        left: restamp.Unset | None = None

        def set_time() -> list[Entry]:
            nonlocal left
            found, left = restamp.restamp(self._writer, unset, at)
            told.extend(found)
            return [write_down(event, boot) for event in found]

        self._write([], set_time)
        self._unset = left
        self._ages.clear()  # what it knows, it knows of rows without a time
        return sum(event.data["count"] for event in told)

    def shed(self, step: purge.Step, uplinks: purge.Uplinks) -> purge.Shed:
        """Delete for one reason, and tell of it, in one transaction."""
        shed = purge.Shed(0, [], None)

        def delete() -> list[Entry]:
            nonlocal shed
            shed = purge.delete(self._writer, step, uplinks, self._ages[step.event_class], self._begun)
            if shed.count:
                fact = json.dumps(dict(zip(PLACES, self._lasts, strict=True)))
                self._writer.execute("INSERT OR REPLACE INTO facts VALUES ('lasts', ?)", (fact,))
            return [write_down(event, boot_id()) for event in shed.told]

        self._write([], delete)
        return shed

    def give_up(self, seq: int, why: str) -> None:
        """Delete a row that cannot be read any more, and tell of it; of the others nothing is lost."""

        def delete() -> list[Entry]:
            if not purge.forget(self._writer, seq):
                return []  # another thread was quicker
            log.error("event %d is damaged on the disk and given up: %s", seq, why)
            return [write_down(event, boot_id()) for event in repair.told(f"event {seq}: {why}", (seq, seq, 1))]

        try:
            self._write([], delete)
        except sqlite3.Error as error:
            if not schema.is_damage(error):
                raise
            self._recover(str(error), f"event {seq}: {why}")  # its place in an index is lost, too

    def weigh(self) -> None:
        """Count some more of what `weights` has not counted yet. Not synced by itself."""
        try:
            self._cursor_writer.execute("BEGIN IMMEDIATE")
            known = weights.read(self._cursor_writer)
            is_more = weights.count_on(self._cursor_writer, known)
            if is_more:
                weights.save(self._cursor_writer, known)
            self._cursor_writer.execute("COMMIT")
        except sqlite3.Error:
            _roll_back(self._cursor_writer)
            raise
        self.weighed = known.upto if is_more else self.last

    def reuse_log(self, *, wipe: bool = False) -> bool:
        """Bring what the log holds into the file, so that the log goes on from its beginning and need not grow.

        `wipe`: and nothing of it is left. False where a reader kept it from that.
        """
        done = self._writer.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if wipe else 'RESTART'})").fetchone()
        return bool(done[0] == 0)

    def close(self) -> None:
        """The next opening needs no recovery and leaves no gap."""
        with suppress(StoreError):
            self._sequence.settle(self.last)
        self._sequence.close()
        self._close_writers()

    def _open(self, in_use_upto: int = 0, damage: str | None = None) -> None:
        """Open the file, repaired if need be. `in_use_upto`: it failed while in use, having used this sequence."""
        has_log = repair.has_log(self._path)
        try:
            damage = damage or repair.inspect(self._path)
            if damage:
                log.error("journal is damaged (%s): setting it aside, carrying over what can be read", damage)
                repair.replace(self._path, now().time)
            self._connect()
            kept = self._take_stock()
        except ROTTEN as error:  # SQLite checks pages, never the text in them
            if damage:
                raise
            self._close_writers()
            return self._open(in_use_upto, f"{type(error).__name__}: {error}")
        except (sqlite3.Error, OSError) as error:
            raise schema.refusal(error, Text("事件库无法打开", "the journal cannot be opened")) from error
        certain = in_use_upto or (self._sequence.upto if damage else self._sequence.start(kept, has_log=has_log))
        self.last = max(kept, certain)
        if not damage and self.last == kept:
            return
        try:
            self._announce(damage or "the journal file or its log was missing, or an old copy")
        except sqlite3.Error as error:  # what was reserved for it makes the next opening tell of it
            self._close_writers()
            raise schema.refusal(error, Text("事件库无法打开", "the journal cannot be opened")) from error

    def _connect(self) -> None:
        self._writer = schema.open_writer(self._path, synced=True)
        migrations.prepare(self._writer)
        self._cursor_writer = schema.open_writer(self._path, synced=False)
        schema.sync_folder(self._path.parent)
        self._inode = self._path.stat().st_ino

    def _take_stock(self) -> int:
        """What the file says of itself; the last sequence in it."""
        kept, self._lasts = self._find_last()
        self._heads, self._unset = chain.heads(self._writer), restamp.read(self._writer)
        self.weighed = 0
        self._ages.clear()
        self._begun.clear()
        return kept

    def _find_last(self) -> tuple[int, list[int]]:
        """The last sequence in the file and the last of each class, also when the newest rows were purged."""
        newest = self._writer.execute("SELECT seq, class, gaps FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        fact = self._writer.execute("SELECT value FROM facts WHERE name = 'lasts'").fetchone()
        lasts: dict[str, int] = json.loads(fact[0]) if fact else {}
        last = max(lasts.values(), default=0)
        if newest and newest[0] >= last:
            last, lasts = newest[0], last_per_class(newest[0], newest[1], parse_gaps(newest[2]))
        return last, [lasts.get(name, 0) for name in PLACES]

    def _write(self, entries: Sequence[Entry], deed: Callable[[], list[Entry]] | None = None) -> list[int]:
        """One transaction; `deed` may change or delete rows in it and return further entries that tell of it."""
        self._settle_doubt()
        known = self._known(entries)
        last, lasts, heads, rows = self.last, self._lasts.copy(), self._heads.copy(), []
        self._sequence.reserve(last, len(entries) + _MOST_TOLD)
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for entry in (*entries, *deed()) if deed else entries:
                identity, kind = entry[ORIGIN] or entry[ID], entry[CLASS]
                if identity not in known:
                    known[identity] = last = last + 1
                    values = (last, *entry, write_gaps(last, lasts))
                    rows.append((*values, chain.extend(heads, values) if kind in heads else None))
                    lasts[PLACES[kind]] = last
            schema.insert_events(self._writer, rows)
            unset = restamp.note(self._writer, self._unset, rows)
            self._writer.execute("COMMIT")
        except sqlite3.Error:
            _roll_back(self._writer)
            self._doubtful = self._doubtful or self.last + 1
            raise
        self.last, self._lasts, self._heads, self._unset, self._doubtful = last, lasts, heads, unset, 0
        return [known[entry[ORIGIN] or entry[ID]] for entry in entries]

    def _known(self, entries: Sequence[Entry]) -> dict[str, int]:
        """Sequences of events that are kept already, by origin or, after a doubtful commit, by id."""
        known: dict[str, int] = {}
        for entry in entries:
            if origin := entry[ORIGIN]:
                found = self._writer.execute("SELECT seq FROM events WHERE origin = ?", (origin,)).fetchone()
            elif self._doubtful:
                query = "SELECT seq FROM events WHERE seq >= ? AND id = ?"
                found = self._writer.execute(query, (self._doubtful, entry[ID])).fetchone()
            else:
                continue
            if found:
                known[origin or entry[ID]] = found[0]
        return known

    def _settle_doubt(self) -> None:
        """The file was taken away, or a commit failed and may yet have reached the disk: ask the file."""
        try:
            in_place = os.stat(self._where).st_ino == self._inode
        except OSError:
            in_place = False
        if not in_place:
            self._recover("its file was removed while in use")
        elif self._doubtful:
            last, lasts = self._find_last()
            if last > self.last:
                self.last, self._lasts = last, lasts
                self._heads, self._unset = chain.heads(self._writer), restamp.read(self._writer)

    def _recover(self, cause: str, damage: str | None = None) -> None:
        """Open the file anew; `damage` is what SQLite would not find in it."""
        log.error("the journal failed while in use: %s", cause)
        self._close_writers()
        self._inode = -1  # should opening fail, the next transaction tries again
        self._doubtful = 0
        self._open(in_use_upto=self.last, damage=damage)
        self._on_replace()

    def _announce(self, damage: str) -> None:
        """Tell by events that the file was damaged and which sequences are missing."""
        seqs = (seq for (seq,) in self._writer.execute("SELECT seq FROM events ORDER BY seq"))
        missing = repair.holes(seqs, max(purge.purged(self._writer).values(), default=0), self.last)
        self._write([write_down(event, boot_id()) for event in repair.told(damage, missing)])

    def _close_writers(self) -> None:
        for connection in (self._cursor_writer, self._writer):
            with suppress(sqlite3.Error):
                connection.close()


def _roll_back(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
