"""Which requests were taken, and what was answered: a small SQLite file of its own.

Rule: a request is written down, synced, before it is carried out, and kept until a day after it expired. Whatever
happens in between, it is never carried out a second time. What is forgotten is overwritten: it may hold a picture.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.clock import ClockTrust
from gateway.downlink.answers import Code, Refusal
from gateway.errors import StoreError
from gateway.ownership import give
from gateway.text import Text

log = logging.getLogger(__name__)

_MOST = 10_000
_FORGET_EVERY_S = 3600.0
_LONGER = timedelta(days=1)  # than it is valid: the clock may be set back
_TABLE = """
CREATE TABLE IF NOT EXISTS requests (
    uplink TEXT NOT NULL,
    request_id TEXT NOT NULL,
    digest TEXT NOT NULL,      -- SHA-256 of what was asked
    expires REAL NOT NULL,     -- seconds since 1970
    reply BLOB,                -- null until it has ended
    PRIMARY KEY (uplink, request_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_expires ON requests (expires);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A request that was taken before."""

    digest: str
    reply: bytes | None


class Ledger:
    """Any thread may use it; it is opened at the first use. Raises `StoreError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._base: sqlite3.Connection | None = None
        self._forget_due = 0.0  # monotonic

    def recall(self, uplink: str, request_id: str) -> Entry | None:
        query = "SELECT digest, reply FROM requests WHERE uplink = ? AND request_id = ?"
        with self._lock:
            try:
                found = self._open().execute(query, (uplink, request_id)).fetchone()
            except (sqlite3.Error, OSError) as error:
                raise self._failure(error) from error
        return Entry(*found) if found else None

    def begin(self, uplink: str, request_id: str, digest: str, expires_at: datetime) -> None:
        """Take a request: it is on the disk when this returns. Raises `Refusal` where too many are valid at once."""
        at = datetime.now(UTC)
        with self._lock:
            try:
                base = self._open()
                base.execute("DELETE FROM requests WHERE expires < ?", ((at - _LONGER).timestamp(),))
                if self._is_full(base):
                    base.execute("DELETE FROM requests WHERE expires < ?", (at.timestamp(),))
                if self._is_full(base):
                    raise Refusal(Code.BUSY, Text("尚未过期的指令过多", "too many commands have not expired yet"))
                values = (uplink, request_id, digest, expires_at.timestamp())
                base.execute("INSERT INTO requests VALUES (?, ?, ?, ?, NULL)", values)
            except (sqlite3.Error, OSError) as error:
                raise self._failure(error) from error

    def finish(self, uplink: str, request_id: str, reply: bytes) -> None:
        """Remember the answer."""
        update = "UPDATE requests SET reply = ? WHERE uplink = ? AND request_id = ?"
        with self._lock:
            try:
                self._open().execute(update, (reply, uplink, request_id))
            except (sqlite3.Error, OSError) as error:
                raise self._failure(error) from error

    def forget_now_and_then(self, read_trust: Callable[[], ClockTrust]) -> None:
        """Delete what expired a day ago, once an hour while the clock can tell. Never raises: it is tried again."""
        if time.monotonic() < self._forget_due or read_trust() is ClockTrust.UNSYNCED:
            return
        self._forget_due = time.monotonic() + _FORGET_EVERY_S
        with self._lock:
            try:
                if self._path.exists():
                    before = datetime.now(UTC) - _LONGER
                    self._open().execute("DELETE FROM requests WHERE expires < ?", (before.timestamp(),))
                    self._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log has what was, too
            except (sqlite3.Error, OSError) as error:
                log.error("%s", self._failure(error))

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _is_full(self, base: sqlite3.Connection) -> bool:
        ((count,),) = base.execute("SELECT count(*) FROM requests")
        return bool(count >= _MOST)

    def _open(self) -> sqlite3.Connection:
        if self._base is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not self._path.exists():
                os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
                give(self._path, self._path.parent)
            base = sqlite3.connect(self._path, timeout=1.0, isolation_level=None, check_same_thread=False)
            try:
                base.execute("PRAGMA journal_mode = WAL")
                base.execute("PRAGMA synchronous = FULL")
                base.execute("PRAGMA secure_delete = ON")
                base.executescript(_TABLE)
            except sqlite3.Error:
                base.close()
                raise
            self._base = base
        return self._base

    def _failure(self, error: Exception) -> StoreError:
        self._drop()  # the next use opens it again
        return StoreError(
            Text("指令记录 {path} 无法读写：{error}", "the ledger of commands {path} cannot be used: {error}").with_(
                path=self._path, error=error
            ),
            hint=Text("检查磁盘空间；文件损坏时将其移走", "check the disk; move the file away if it is damaged"),
        )

    def _drop(self) -> None:
        if self._base is not None:
            with suppress(sqlite3.Error):
                self._base.close()
            self._base = None
