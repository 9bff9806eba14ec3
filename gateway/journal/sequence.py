"""The highest sequence ever used, remembered outside the database.

Rule: a sequence is reserved here, synced, before the database may use it. Whatever happens to the database
(overwritten, deleted, replaced by an old copy), the next sequence is above all that may have left the house. Reserving
in blocks makes this one small sync per `BLOCK` events.
"""

from __future__ import annotations

import os
from pathlib import Path

from gateway.errors import StoreError
from gateway.text import Text

BLOCK = 256
_HIGHEST = 1 << 53  # what JSON can tell exactly: more was never used


class SequenceFile:
    """One line `used upto`: `used` was durable in the database when the line was written, nothing above `upto` is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _refusal(path, error) from error
        self._used, self._upto = self._read()

    def start(self, last: int, *, has_log: bool) -> int:
        """Return the sequence to go on from, given the last one in a healthy database, and whether its log was there.

        Higher than `last` when the database turns out to be older than this file. A killed daemon leaves the log of the
        database behind: without it nobody knows what was in there.
        """
        is_settled = self._used == self._upto
        return last if last >= self._used and (is_settled or has_log) else self._upto

    @property
    def upto(self) -> int:
        """No sequence above this was ever used."""
        return self._upto

    def reserve(self, last: int, count: int) -> None:
        """Make sure that `count` sequences after `last` are reserved. Raises `StoreError`."""
        if last + count > self._upto:
            self._write(last, last + count + BLOCK)

    def settle(self, last: int) -> None:
        """Everything is closed: exactly `last` has been used."""
        if (last, last) != (self._used, self._upto):
            self._write(last, last)

    def close(self) -> None:
        os.close(self._descriptor)

    def _read(self) -> tuple[int, int]:
        try:
            used, upto = map(int, os.pread(self._descriptor, 64, 0).decode("ascii").split())
        except (OSError, ValueError):
            return 0, 0  # new or unreadable: the database alone decides
        return (used, upto) if 0 <= used <= upto < _HIGHEST else (0, 0)

    def _write(self, used: int, upto: int) -> None:
        try:
            # One sector, overwritten in place: needs no free space and is never half written.
            os.pwrite(self._descriptor, f"{used:020d} {upto:020d}\n".encode("ascii"), 0)
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise _refusal(self._path, error) from error
        self._used, self._upto = used, upto


def last_noted(journal: Path) -> int:
    """The highest sequence that is known to have been in the journal; 0 where nothing is known."""
    try:
        noted = int(journal.with_suffix(".seq").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return noted if noted < _HIGHEST else 0


def _refusal(path: Path, error: OSError) -> StoreError:
    failed = Text("{file} 无法写入：{why}", "{file} cannot be written: {why}").with_(file=path.name, why=error)
    return StoreError(failed, hint=Text("磁盘是否已满或只读？", "is the disk full or mounted read-only?"))
