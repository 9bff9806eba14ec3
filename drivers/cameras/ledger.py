"""What a folder camera notes for its next life: which files were consumed, and which one it was decoding.

Rule: a line is written when the events of the picture are kept, never before. It is not synced: a line lost with the
power means one more delivery, and the journal keeps one event per picture.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.errors import DeviceLost
from gateway.ownership import give
from gateway.text import Text

Entry = tuple[str, int, int]  # name, size, mtime_ns
_FULL: Final = Text("磁盘是否已满？", "is the disk full?")
_DAMAGE: Final = (ValueError, TypeError, OverflowError, RecursionError)  # who uploads may write these files, too


class Ledger:
    """The set of consumed files, kept as one JSON array a line. Entries of files that have gone are forgotten."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: set[Entry] = set()
        self._lines = 0
        try:
            self._load()
            if not os.access(path if path.exists() else path.parent, os.W_OK, effective_ids=True):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise DeviceLost(
                Text(
                    "已处理图片清单 {path} 无法写入：{why}",
                    "the list of consumed pictures {path} cannot be written: {why}",
                ).with_(path=path, why=error.strerror),
                hint=Text(
                    "让网关能写入该文件夹，或用 ledger 指定另一个文件",
                    "make the folder writable for the gateway, or name another file with `ledger`",
                ),
            ) from error

    def __contains__(self, entry: Entry) -> bool:
        return entry in self._entries

    def add(self, entry: Entry) -> None:
        """Note a consumed file. Raises `DeviceLost` where the disk refuses."""
        if entry in self._entries:
            return
        self._entries.add(entry)
        self._lines += 1
        try:
            with self._path.open("a", encoding="utf-8") as file:  # made with the first note, by whoever consumes
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise DeviceLost(f"{self._path}: {error.strerror}", hint=_FULL) from error

    def forget_all_but(self, names: set[str]) -> None:
        """Drop entries of files that are no longer there; rewrite the file once half of it is waste."""
        self._entries = {entry for entry in self._entries if entry[0] in names}
        if self._lines < 1000 or self._lines < 2 * len(self._entries):
            return
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            with fresh.open("w", encoding="utf-8") as out:
                out.writelines(json.dumps(entry) + "\n" for entry in sorted(self._entries))
            give(fresh, self._path)
            os.replace(fresh, self._path)
        except OSError as error:
            raise DeviceLost(f"{self._path}: {error.strerror}", hint=_FULL) from error
        self._lines = len(self._entries)

    def _load(self) -> None:
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                self._lines += 1
                with suppress(*_DAMAGE):  # the last line may be half written
                    name, size, mtime_ns = json.loads(line)
                    self._entries.add((str(name), int(size), int(mtime_ns)))


class Attempts:
    """How often the decoding of one file was begun and not ended: a picture may end the process that decodes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, entry: Entry) -> int:
        """Note it before it is tried; returns which try this is. On a disk that refuses, each is the first."""
        tries = 1
        with suppress(OSError, *_DAMAGE):
            *before, count = json.loads(self._path.read_text(encoding="utf-8"))
            if tuple(before) == entry:
                tries = int(count) + 1
        with suppress(OSError):
            self._path.write_text(json.dumps([*entry, tries]), encoding="utf-8")
        return tries

    def end(self) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
