"""The tables of the journal, as numbered steps of SQL; the file is copied before it is changed.

Rule: a step is never edited once released, only followed by another. All missing steps run in one transaction, so that
a power cut leaves the old tables or the new ones. Where the disk has no room for the copy, the journal goes on without
it, loudly: a box with nobody beside it must not stop keeping events for want of a copy.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from gateway.errors import StoreError
from gateway.journal import chain
from gateway.text import Text

log = logging.getLogger(__name__)

_KEEP_COPY_S = 30 * 86400  # it holds personal data: long enough to go back to the old program, not longer
_ROOM = 16 << 20  # bytes that must stay free beside the copy

_TABLES = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,           -- given by file.py, never by SQLite
    id TEXT NOT NULL,
    class TEXT NOT NULL,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    time_us INTEGER NOT NULL,          -- capture, microseconds since 1970 UTC
    clock TEXT NOT NULL,
    uptime_ms INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    passage TEXT,
    origin TEXT,
    data TEXT NOT NULL,                -- JSON
    gaps TEXT NOT NULL                 -- see rows.Row.previous
);
CREATE INDEX events_class ON events (class, seq);
CREATE UNIQUE INDEX events_origin ON events (origin) WHERE origin IS NOT NULL;
CREATE TABLE cursors (uplink TEXT NOT NULL, lane TEXT NOT NULL, after INTEGER NOT NULL, upto INTEGER NOT NULL);
CREATE TABLE dead_letters (uplink TEXT NOT NULL, seq INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE UNIQUE INDEX dead_letters_row ON dead_letters (uplink, seq);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

_CHAIN = """
DROP INDEX IF EXISTS events_unsynced;
ALTER TABLE events ADD COLUMN chain TEXT;  -- of alarms and audit rows: see chain.py
UPDATE facts SET value = (
    SELECT json_group_object(class, CAST(facts.value AS INTEGER)) FROM (
        SELECT column1 AS class FROM (VALUES ('access'), ('vehicle'), ('verify'), ('check'), ('alarm'), ('device'),
            ('loss'), ('audit'))
    )
) WHERE name = 'purged';
"""

_STEPS = (_TABLES, _CHAIN)
VERSION = len(_STEPS)
_CHAINED = 2  # the version that brought the chain


def prepare(connection: sqlite3.Connection) -> None:
    """Bring the file to the tables of this program. Raises `StoreError` for a file of a newer program."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise StoreError(
            Text("事件库由更新的版本写成", "the journal was written by a newer version"),
            hint=Text("重新安装较新的版本", "install the newer version again"),
        )
    if version == VERSION:
        return
    if version:
        _copy(connection)
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {' '.join(_STEPS[version:])}")
        if version < _CHAINED:
            chain.begin(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def copies(path: Path) -> list[Path]:
    """What was kept of the journal at `path` before its tables were changed."""
    return sorted(path.parent.glob(f"{path.stem}.before-v*{path.suffix}"))


def aside(path: Path) -> list[Path]:
    """What was set aside of a damaged journal at `path`: the file and its log."""
    return sorted(path.parent.glob(f"{path.stem}.damaged-*"))


def forget_copies(path: Path) -> None:
    """Remove copies that nobody will go back to, and a damaged file that nobody will look into."""
    for copy in (*copies(path), *aside(path)):
        with suppress(OSError):
            if time.time() - copy.stat().st_mtime > _KEEP_COPY_S:
                copy.unlink()


def _copy(connection: sqlite3.Connection) -> None:
    ((_, _, name),) = connection.execute("PRAGMA database_list").fetchall()
    path = Path(name)
    copy = path.with_name(f"{path.stem}.before-v{VERSION}{path.suffix}")
    for old in copies(path):
        old.unlink()
    size = path.stat().st_size
    if shutil.disk_usage(path.parent).free < size + _ROOM:
        log.critical("no room for a copy of the journal (%d bytes): its tables are changed without one", size)
        return
    copy.touch(mode=0o600)
    try:
        connection.execute("VACUUM INTO ?", (str(copy),))
        descriptor = os.open(copy, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except (sqlite3.Error, OSError):
        copy.unlink(missing_ok=True)
        raise
    log.warning("the tables of the journal are changed; what was before lies in %s", copy.name)
