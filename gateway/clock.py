"""Time: wall clock for facts, monotonic clock for durations, and how far the wall clock can be trusted."""

from __future__ import annotations

import ctypes
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path

from gateway.chrony import Chrony

_chrony = Chrony()
_STA_NANO = 0x2000  # adjtimex(2): the offset is in nanoseconds
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_LONGEST_S = 1e12  # of CLOCK_MONOTONIC: no box runs for 30,000 years


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

    @property
    def is_possible(self) -> bool:
        """Whether the journal can hold it and any zone tell it. A stamp that another process sent may be anything."""
        is_year = datetime.min.year < self.time.year < datetime.max.year  # a zone's offset may lead a day farther
        return self.time.tzinfo is not None and is_year and abs(self.mono) <= _LONGEST_S


def now() -> Stamp:
    """Stamp this moment."""
    return Stamp(datetime.now(UTC), time.monotonic(), trust())


def trust() -> ClockTrust:
    """Whether a time source keeps the clock: by the kernel (adjtimex, read only), or by chronyd where that says no.

    systemd-timesyncd, ntpd and a chronyd with `rtcsync` tell the kernel. Never waits.
    """
    buffer = (ctypes.c_char * 256)()  # struct timex with modes = 0: nothing is changed
    state = _libc().adjtimex(ctypes.byref(buffer))
    keeps = state not in (-1, _TIME_ERROR) or _chrony.keeps_clock()
    return ClockTrust.SYNCED if keeps else ClockTrust.UNSYNCED


def offset() -> float | None:
    """Seconds by which the kernel knows the wall clock to be off; None while nothing keeps it."""
    buffer = (ctypes.c_char * 256)()
    if _libc().adjtimex(ctypes.byref(buffer)) in (-1, _TIME_ERROR):
        return None
    (behind,) = struct.unpack_from("@l", buffer, struct.calcsize("@Il") - struct.calcsize("@l"))
    (status,) = struct.unpack_from("@i", buffer, struct.calcsize("@Illlli") - struct.calcsize("@i"))
    return float(behind) / (1e9 if status & _STA_NANO else 1e6)


@cache
def boot_id() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
