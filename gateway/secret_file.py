"""A password, as people save it: one line in a file of its own, from whichever editor."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_LONGEST = 65_535  # characters: no field of a protocol holds more, and a token may well have thousands


def read_secret(path: Path) -> str:
    """The password, without the end of its line and the mark that Windows' Notepad begins a file with.

    Raises `OSError`, also for a file that is too long, and `UnicodeDecodeError` for what is no text.
    """
    with path.open(encoding="utf-8-sig") as stream:
        secret = stream.read(_LONGEST + 1).strip("\r\n")
    if len(secret) > _LONGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return secret
