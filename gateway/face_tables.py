"""The tables of the face database and how it is opened: rollback journal, synced, freed pages overwritten."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from gateway.errors import StoreError
from gateway.ownership import give
from gateway.text import Text

_VERSION = 1
_SCHEMA = """
CREATE TABLE consents (
    subject TEXT PRIMARY KEY,   -- the holder's keyed hash; no name, no id, no room in this file
    version TEXT NOT NULL,      -- of the consent text
    channel TEXT NOT NULL,      -- how it was given: paper, app, counter …
    evidence_ref TEXT NOT NULL, -- where the proof lies
    given_at TEXT NOT NULL,
    guardian BLOB,              -- who consented for a child under 14: sealed, it is a name
    enrolled_at TEXT NOT NULL
) STRICT;
CREATE TABLE templates (
    subject TEXT NOT NULL REFERENCES consents ON DELETE CASCADE,
    model TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    nonce BLOB NOT NULL,
    sealed BLOB NOT NULL        -- AES-256-GCM of little-endian float32 values
) STRICT;
CREATE INDEX templates_subject ON templates (subject);
CREATE INDEX templates_model ON templates (model, model_sha256);
CREATE TABLE changes (count INTEGER NOT NULL) STRICT;
INSERT INTO changes VALUES (0);
PRAGMA user_version = 1;
"""


def open_base(path: Path) -> sqlite3.Connection:
    """A connection without a transaction open. Makes the file where there is none, for its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        give(path, path.parent)
    base = sqlite3.connect(path, timeout=5, isolation_level=None)
    try:
        base.execute("PRAGMA secure_delete = ON")
        base.execute("PRAGMA journal_mode = DELETE")  # a write-ahead log would keep what was erased
        base.execute("PRAGMA synchronous = EXTRA")
        base.execute("PRAGMA foreign_keys = ON")
        (version,) = base.execute("PRAGMA user_version").fetchone()
        if version == 0:
            _make(base)
        elif version > _VERSION:
            raise StoreError(
                Text("人脸库由更新的版本写成", "the face database was written by a newer version"),
                hint=Text("升级本程序", "upgrade this program"),
            )
    except (sqlite3.Error, StoreError):
        base.close()
        raise
    return base


def _make(base: sqlite3.Connection) -> None:
    base.execute("BEGIN IMMEDIATE")  # two processes may both find the file empty
    if base.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in _SCHEMA.split(";\n"):
            if statement.strip():
                base.execute(statement)
    base.execute("COMMIT")
