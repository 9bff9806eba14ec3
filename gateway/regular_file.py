"""Reading a file that somebody named. A pipe or a device in its place may never begin, or never end.

Rule: what a person or a stick names is opened here.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open for reading. Raises `OSError`, also for a pipe, a socket or a device."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # of a folder the system says it better
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.open("rb")
