"""The tables of the journal and how its file is opened.

Rule: one write-ahead log, every commit of events synced (`synchronous=FULL`); what is deleted is overwritten
(`secure_delete`), because a purged passage must not be readable in free pages. Each further index, and a counter that
SQLite keeps, is one more page to write and sync for a lone card: there is the index that the lanes need, no other.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.errors import StoreError
from gateway.text import Text

VERSION = 1
EVENT_COLUMNS = "seq, id, class, name, subject, time_us, clock, uptime_ms, boot_id, passage, origin, data, gaps"
INSERT_EVENT = f"INSERT INTO events ({EVENT_COLUMNS}) VALUES ({', '.join('?' * 13)})"
_TOGETHER = 50  # rows of one statement
_INSERT_TOGETHER = INSERT_EVENT + f", ({', '.join('?' * 13)})" * (_TOGETHER - 1)
INSERT_CURSOR = "INSERT INTO cursors (uplink, lane, after, upto) VALUES (?, ?, ?, ?)"
_PAGE = 4096
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

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


def open_writer(path: Path, *, synced: bool) -> sqlite3.Connection:
    """Open for writing, from any thread under the caller's lock. `synced`: each commit waits for the disk."""
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA cache_size = -2000")
        connection.execute(f"PRAGMA journal_size_limit = {4 << 20}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def insert_events(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows of `EVENT_COLUMNS`; a burst by few statements, as each lets all other threads go first."""
    whole = len(rows) - len(rows) % _TOGETHER
    for at in range(0, whole, _TOGETHER):
        connection.execute(_INSERT_TOGETHER, [value for row in rows[at : at + _TOGETHER] for value in row])
    connection.executemany(INSERT_EVENT, rows[whole:])


def open_reader(path: Path) -> sqlite3.Connection:
    """Open for reading only, also while another process writes."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA cache_size = -1000")
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables of a new file. Raises `StoreError` for a file of a newer program."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise StoreError(
            Text("事件库由更新的版本写成", "the journal was written by a newer version"),
            hint=Text("重新安装较新的版本", "install the newer version again"),
        )
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")


def sync_folder(folder: Path) -> None:
    """Make the names of new and renamed files survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is broken."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def refusal(error: sqlite3.Error | OSError, doing: Text) -> StoreError:
    """Turn an error of SQLite or the file system into ours."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        why = Text("磁盘已满", "the disk is full")
        hint = Text("请腾出空间；已保存的事件不会丢失", "free some space; nothing accepted so far is lost")
        return StoreError(_FAILED.with_(doing=doing, why=why), hint=hint)
    failed = _FAILED.with_(doing=doing, why=error)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        hint = Text(
            "检查磁盘（dmesg、mount -o remount,rw）和文件属主",
            "check the disk: mount -o remount,rw, dmesg, and the file's owner",
        )
        return StoreError(failed, hint=hint)
    return StoreError(failed, hint=Text("详见网关的运行日志", "see the log of the gateway"))


_FAILED = Text("{doing}：{why}", "{doing}: {why}")
