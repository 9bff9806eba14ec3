"""The floor of the walk: a process that reads a frame from a tty, commits one synced row and publishes it at QoS 1.

It decides nothing, opens nothing, keeps no sequence and survives nothing. Rule: the same disk, the same durability
(WAL, synchronous=FULL), the same client library, the same bytes, one thread beside paho's own.
Run as `python -m tests.bench.bare TTY FILE PORT`; it says `ready`, and then for each card when it was on the disk.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.site import ROOT

TOPIC = "bare/event/access"
BODY = b'{"specversion":"1.0","data":"' + b"x" * 700 + b'"}'  # as long as the event of a granted card
ETX = b"\x03"
_LOG_BYTES = 5 << 20  # more than SQLite's 1000 pages, after which the log begins anew


class Bare:
    """The bare process, as the bench sees it."""

    def __init__(self, tty: str, folder: Path, port: int) -> None:
        self.began = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.bench.bare", tty, str(folder / "bare.db"), str(port)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._lines = self._process.stdout

    def wait_ready(self) -> None:
        assert self._lines.readline() == b"ready\n"

    def next_kept(self) -> float:
        """When the next card was on the disk, CLOCK_MONOTONIC."""
        return float(self._lines.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        self._lines.close()


def open_bare(path: Path | str) -> sqlite3.Connection:
    """A database of one table whose commits wait for the disk.

    Its write-ahead log has its full size already and is overwritten in place, as after a day's work: a log that still
    grows makes the file system commit too, which costs more than the row.
    """
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE IF NOT EXISTS rows (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    database.execute("CREATE TABLE IF NOT EXISTS growth (body BLOB NOT NULL)")
    database.execute("INSERT INTO growth VALUES (zeroblob(?))", (_LOG_BYTES,))
    return database


def main(tty: str, path: str, port: int) -> None:
    """One card after the other, until killed."""
    database = open_bare(path)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bare", protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    while not client.is_connected():
        time.sleep(0.001)
    line = os.open(tty, os.O_RDONLY | os.O_NOCTTY)
    print("ready", flush=True)
    while True:
        frame = b""
        while not frame.endswith(ETX):
            frame += os.read(line, 64)
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO rows (body) VALUES (?)", (BODY,))
        database.execute("COMMIT")
        kept = time.monotonic()
        client.publish(TOPIC, BODY, qos=1).wait_for_publish()
        print(kept, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
