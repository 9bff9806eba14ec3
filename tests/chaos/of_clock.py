"""The wall clock steps under the daemon, and only there: a small library between it and libc adds an offset.

The monotonic clock goes on, as it does when a clock is set.
"""

from __future__ import annotations

import subprocess
import time
from datetime import datetime
from pathlib import Path

from tests.chaos.compound import Compound
from tests.chaos.scenario import Outcome, Plan, Scenario, judge
from tests.real import needed

_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
    char text[32] = "";
    int file = open(getenv("CLOCK_OFFSET_FILE"), O_RDONLY);
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    return size > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t which, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, at);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) at->tv_sec += offset();
    return failed;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


def back_an_hour(plan: Plan) -> Outcome:
    """An hour back for 20 s, then right again."""
    return _step(plan, -3600)


def ahead_a_day(plan: Plan) -> Outcome:
    """A day ahead for 20 s, then right again."""
    return _step(plan, 86400)


def _step(plan: Plan, seconds: int) -> Outcome:
    offset = plan.folder / "offset"
    offset.write_text("0")
    shim = build_shim(plan.folder)
    with Compound(plan.folder, environment={"LD_PRELOAD": str(shim), "CLOCK_OFFSET_FILE": str(offset)}) as compound:
        time.sleep(5.0)
        set_offset(offset, seconds)
        back = compound.until_new_at(compound.city)
        time.sleep(plan.seconds(20))
        set_offset(offset, 0)
        back = max(back, compound.until_new_at(compound.city))
        time.sleep(5.0)
        tally = judge(compound)
        moved = max(abs(_lag(event["time"]) - seconds) < 600 for event in compound.city.events)
        faults = [] if moved else ["the clock did not step"]
        return Outcome(tally, [back], compound.door.waits, faults=faults)


def _lag(written: str) -> float:
    """Seconds by which an event's time is ahead of now."""
    return datetime.fromisoformat(written).timestamp() - time.time()


def set_offset(file: Path, seconds: int) -> None:
    """At once: a half-written number would be a third time."""
    draft = file.with_suffix(".new")
    draft.write_text(str(seconds))
    draft.rename(file)


def build_shim(folder: Path) -> Path:
    source, shim = folder / "shim.c", folder / "shim.so"
    source.write_text(_SHIM)
    subprocess.run([needed("gcc", "gcc"), "-shared", "-fPIC", "-O2", "-o", shim, source, "-ldl"], check=True)
    return shim


_COMPILER = ("mosquitto", "gcc")
SCENARIOS = {
    "clock-back-an-hour": Scenario(back_an_hour, _COMPILER),
    "clock-ahead-a-day": Scenario(ahead_a_day, _COMPILER),
}
