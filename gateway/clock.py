"""Time: wall clock for facts, monotonic clock for durations, and how far the wall clock can be trusted."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


class ClockTrust(StrEnum):
    """Whether the wall clock was set by a time source when the fact was stamped."""

    SYNCED = "synced"
    UNSYNCED = "unsynced"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something happened: aware wall time, seconds of CLOCK_MONOTONIC, and the trust in the first.

    CLOCK_MONOTONIC is one clock for all processes of a boot, so stamps of the vision child compare with ours.
    """

    time: datetime
    mono: float
    trust: ClockTrust

    def age(self) -> float:
        """Seconds since, by the monotonic clock."""
        return time.monotonic() - self.mono


def now() -> Stamp:
    """Stamp this moment."""
    return Stamp(datetime.now(UTC), time.monotonic(), trust())


def trust() -> ClockTrust:
    """Ask the kernel (adjtimex, read only) whether a time source keeps the clock."""
    buffer = (ctypes.c_char * 256)()  # struct timex with modes = 0: nothing is changed
    state = _libc().adjtimex(ctypes.byref(buffer))
    return ClockTrust.UNSYNCED if state in (-1, _TIME_ERROR) else ClockTrust.SYNCED


@cache
def boot_id() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
