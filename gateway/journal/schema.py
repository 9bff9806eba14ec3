"""How the file of the journal is opened, and what its errors mean.

Rule: one write-ahead log, every commit of events synced (`synchronous=FULL`); what is deleted is overwritten
(`secure_delete`), because a purged passage must not be readable in free pages. Each further index, and a counter that
SQLite keeps, is one more page to write and sync for a lone card: there is the index that the lanes need, no other.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from gateway.errors import StoreError
from gateway.text import Text

EVENT_COLUMNS = "seq, id, class, name, subject, time_us, clock, uptime_ms, boot_id, passage, origin, data, gaps, chain"
_MARKS = f"({', '.join('?' * 14)})"
INSERT_EVENT = f"INSERT INTO events ({EVENT_COLUMNS}) VALUES {_MARKS}"
_TOGETHER = 100  # rows of one statement
_INSERT_TOGETHER = INSERT_EVENT + f", {_MARKS}" * (_TOGETHER - 1)
INSERT_CURSOR = "INSERT INTO cursors (uplink, lane, after, upto) VALUES (?, ?, ?, ?)"
_PAGE = 4096
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class DiskFull(StoreError):
    """There is no room for what was to be written."""


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
        connection.execute(_INSERT_TOGETHER, list(chain.from_iterable(rows[at : at + _TOGETHER])))
    for row in rows[whole:]:
        connection.execute(INSERT_EVENT, row)


def open_reader(path: Path) -> sqlite3.Connection:
    """Open for reading only, also while another process writes."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA cache_size = -1000")
    return connection


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
        return DiskFull(_FAILED.with_(doing=doing, why=why), hint=hint)
    failed = _FAILED.with_(doing=doing, why=error)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        hint = Text(
            "检查磁盘（dmesg、mount -o remount,rw）和文件属主",
            "check the disk: mount -o remount,rw, dmesg, and the file's owner",
        )
        return StoreError(failed, hint=hint)
    if str(error).startswith("no such"):  # a table or a column of this program
        hint = Text(
            "事件库由旧版本写成；重启网关后即转换：systemctl restart compound-gateway",
            "an older version wrote it; a restart converts it: systemctl restart compound-gateway",
        )
        return StoreError(failed, hint=hint)
    return StoreError(failed, hint=Text("详见网关的运行日志", "see the log of the gateway"))


_FAILED = Text("{doing}：{why}", "{doing}: {why}")
