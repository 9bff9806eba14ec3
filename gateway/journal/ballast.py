"""A file that does nothing but take up room, until the disk is full: then it makes way.

Rule: what it frees is for the shedding, which writes before it frees, and for the alarm that tells of it. It is made
again only where the disk has more to spare than it must keep free.
"""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


class Ballast:
    """`size` bytes at `path`; 0 for none."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    @property
    def is_whole(self) -> bool:
        """Whether the room is really taken, on the disk and not only by the length of the file."""
        try:
            return self._path.stat().st_blocks * 512 >= self._size
        except OSError:
            return self._size == 0

    def make(self, keep_free: int) -> bool:
        """Take the room where at least `keep_free` bytes stay free; whether the ballast is there."""
        if self.is_whole:
            return True
        try:
            if shutil.disk_usage(self._path.parent).free - self._size < keep_free:
                return False
            with self._path.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
                os.fsync(file.fileno())
        except OSError as error:
            log.warning("no ballast could be made: %s", error)
            self.release()
            return False
        return self.is_whole

    def release(self) -> bool:
        """Give the room back; False if there was nothing to give."""
        had = self._size > 0 and self.is_whole
        with suppress(OSError):
            # Made empty, not removed: a full disk has room for a shorter file, not always for a change of its folder.
            os.truncate(self._path, 0)
        return had
