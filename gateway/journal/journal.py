"""The journal: the append-only log of what happened, in SQLite, with cursors per uplink and lane.

Rule: an event is accepted when `append` returns, and then it is on the disk. Sequences are gap-free and never used
twice, whatever happens to the file: it is checked at the start, and a damaged one is set aside, its readable rows are
carried over and the sequence goes on. One process owns the folder (flock), one lock orders the writers, and readers
(rows.py) never wait for it. Cursors are written without a sync of their own: a lost cursor only sends again.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from gateway.clock import ClockTrust, Stamp, boot_id, now, trust
from gateway.errors import GatewayError, StoreError
from gateway.filesystem import network_kind
from gateway.journal import migrations, purge, repair, schema, weights
from gateway.journal.entry import Entry, write_down
from gateway.journal.file import JournalFile
from gateway.journal.purge import Shed, Step
from gateway.journal.rows import JournalReader
from gateway.journal.values import Cursor, Row, open_end
from gateway.settings import Journal as Policy
from gateway.text import Text
from gateway.types import Event, EventClass

_WIPE_EVERY_S = 6 * 3600.0


class FolderInUse(StoreError):
    """Another process owns the journal's folder; waiting would not help."""


class Journal(JournalReader):
    """Open it once per process; every method may be called from any thread."""

    def __init__(self, path: Path, *, read_trust: Callable[[], ClockTrust] = trust) -> None:
        super().__init__(path)
        self._read_trust = read_trust
        self.restamps = 0  # how often rows that may have been read before got another time
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._uplinks: dict[str, frozenset[EventClass]] = {}
        self._is_log_stale, self._wipe_due = False, 0.0  # it holds what was purged; monotonic
        self._folder = _own_folder(path.parent)
        try:
            self._file = JournalFile(path, self.renew)
        except GatewayError:
            os.close(self._folder)
            raise

    @property
    def last_seq(self) -> int:
        """The last sequence that was accepted."""
        return self._file.last

    def append(self, events: Sequence[Event], boot: str) -> list[int]:
        """Keep `events` in one synced transaction; return their sequences. All or none.

        An event whose `origin` is kept already is not kept again: its first sequence is returned.
        Raises `Rejected` (privacy guard) or `StoreError`; then nothing was accepted.
        """
        return self.keep([write_down(event, boot) for event in events])

    def keep(self, entries: Sequence[Entry]) -> list[int]:
        """As `append`, for what is written down already. Raises `StoreError`."""
        with self._lock:
            try:
                seqs = self._file.append(entries)
            except sqlite3.Error as error:
                raise schema.refusal(error, Text("事件无法写入", "events cannot be kept")) from error
        self._tell()
        return seqs

    def on_append(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each commit, on the thread that appends. It must not block."""
        self._listeners.append(listener)

    def register(self, uplink: str, classes: Collection[EventClass]) -> None:
        """An uplink that is in use: what it has not passed counts as unsent when something must go."""
        with self._lock:
            self._uplinks[uplink] = frozenset(classes)

    def save_cursors(
        self,
        uplink: str,
        cursors: Iterable[Cursor],
        *,
        buried: Iterable[tuple[int, str]] = (),
        revived: Iterable[int] = (),
    ) -> None:
        """Remember where an uplink stands, and its new and its delivered dead letters. Not synced by itself."""
        stretches = [(cursor.lane, cursor.after, open_end(cursor.upto)) for cursor in cursors]
        with self._lock:
            try:
                self._file.save_cursors(uplink, stretches, buried, revived)
            except sqlite3.Error as error:
                raise schema.refusal(error, Text("上传进度无法写入", "cursors cannot be kept")) from error

    def purge(self, policy: Policy, at: Stamp | None = None, *, is_full: bool = False, most: int | None = None) -> int:
        """Delete what is past its age or beyond a budget; return how many rows went.

        With `most` it stops once so many have gone: where there is more, cards are recorded before the next call.
        What had not reached every uplink, and all that went for want of space, is announced by `loss` events in the
        same transaction. Nothing is deleted by age while the clock is not synced. `is_full`: the disk refuses to take
        more, so make room inside the file.
        """
        migrations.forget_copies(self._path)
        repair.forget_damaged(self._path)
        if is_full:
            with self._lock, suppress(sqlite3.Error):  # what follows will tell whether the disk takes anything
                self._file.reuse_log()
        gone = 0
        for reason in purge.steps(policy, at or now(), self._path.parent, is_full=is_full):
            step: Step | None = reason
            while step and (most is None or gone < most):
                shed = self._shed(step)
                gone, step = gone + shed.count, shed.next
        if gone:
            self._is_log_stale = True
            self._tell()
        if self._is_log_stale and gone != most and time.monotonic() >= self._wipe_due:
            self._wipe_log()
        return gone

    def _wipe_log(self) -> None:
        """What was deleted is in the log still. Seldom: the log is there to spare the disk."""
        self._wipe_due = time.monotonic() + _WIPE_EVERY_S
        with self._lock, suppress(sqlite3.Error):  # the next time, then
            self._is_log_stale = not self._file.reuse_log(wipe=True)

    def _shed(self, step: Step) -> Shed:
        with self._lock:
            try:
                return self._file.shed(step, self._uplinks)
            except sqlite3.Error as error:
                raise schema.refusal(error, Text("旧事件无法删除", "old events cannot be deleted")) from error

    def give_up(self, seq: int, why: str) -> bool:
        """A row that was read is damaged: it goes, and an alarm and a `loss` event tell of it. Raises `StoreError`."""
        with self._lock:
            try:
                self._file.give_up(seq, why)
            except sqlite3.Error as error:
                raise schema.refusal(error, Text("损坏的事件无法移除", "a damaged event cannot be removed")) from error
        self._tell()
        return True

    def weigh(self) -> bool:
        """Count what has been added, at most `weights.STEP` events of it; whether all but so many is counted by now.

        Raises `StoreError`.
        """
        if self._file.last - self._file.weighed >= weights.STEP:
            with self._lock:
                try:
                    self._file.weigh()
                except sqlite3.Error as error:
                    raise schema.refusal(error, Text("事件占用无法统计", "events cannot be weighed")) from error
        return self._file.last - self._file.weighed < weights.STEP

    def restamp(self, boot: str, at: Stamp) -> int:
        """The clock was set: give unsynced events of this boot their true time; return how many.

        At most `restamp.STEP` at once: `has_unset` tells whether there are more.
        """
        with self._lock:
            try:
                count = self._file.restamp(boot, at)
            except sqlite3.Error as error:
                raise schema.refusal(error, Text("事件时间无法更正", "events cannot be restamped")) from error
        if count:
            self.restamps += 1
            self._tell()
        return count

    def has_unset(self, boot: str) -> bool:
        """Whether there may be events of this boot that have not got their true time."""
        return self._file.has_unset(boot)

    def awaits_restamp(self, row: Row) -> bool:
        """Whether a row is about to get its true time: it should not leave the house before."""
        if row.clock is not ClockTrust.UNSYNCED or row.boot_id != boot_id():
            return False
        return self._read_trust() is ClockTrust.SYNCED

    def close(self) -> None:
        """Close everything; the next opening needs no recovery."""
        with self._lock:
            super().close()
            self._file.close()
            os.close(self._folder)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def _own_folder(folder: Path) -> int:
    kind = network_kind(folder)
    if kind:
        raise StoreError(
            Text("{folder} 位于网络文件系统（{kind}）上", "{folder} lies on a network file system ({kind})").with_(
                folder=folder, kind=kind
            ),
            hint=Text("gateway.data_dir 须在本机磁盘上", "gateway.data_dir must be on a disk of this box"),
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # who passed where, and when
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise schema.refusal(
            error, Text("目录 {folder} 无法使用", "{folder} cannot be used").with_(folder=folder)
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise FolderInUse(
            Text("另一个网关正在使用 {folder}", "another gateway uses {folder}").with_(folder=folder),
            hint=Text("先停止它：systemctl stop compound-gateway", "stop it first: systemctl stop compound-gateway"),
        ) from error
    return descriptor
