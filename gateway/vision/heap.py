"""Memory that was freed goes back to the kernel, which the C library keeps otherwise: a box has 2 GB for everything.

Rule: only glibc can do this, within milliseconds; with another C library all stays as it is.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

_MMAP_THRESHOLD: Final = -3  # malloc.h: M_MMAP_THRESHOLD
_LARGE: Final = 1 << 20


def give_back() -> None:
    """Whatever this process has freed so far: 50 MB after models were loaded."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def give_back_pictures() -> None:
    """From now on each block of a megabyte or more as soon as it is freed, for 2 ms of work a 1080p picture."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)
