"""The clock of a machine that stands still, and tests that it disturbed.

Rule: no test may fail because the machine was slow, or gave it no processor for some seconds. What must not take long
is measured by `awake`; and what a test proves of milliseconds, it proves only where nothing stood still. So one that
failed while this process did is run again, and the report says so. One that failed on a machine that ran all the while
has failed, and so has one that failed five times.
"""

from __future__ import annotations

import threading
import time
from functools import cache

import pytest
from _pytest.runner import runtestprotocol
from _pytest.terminal import TerminalReporter

_TICK_S = 0.01
_NOTED_S = 0.1  # the least time that a driver waits for: less is no excuse
_TRIES = 5
_AGAIN = "run again"


class _Clock:
    """Counts on a thread that does nothing else: it waits for the processor as long as every other does."""

    def __init__(self) -> None:
        self.ticks = 0
        self.stood_still = 0.0  # monotonic: when it last did
        threading.Thread(target=self._count, daemon=True, name="awake").start()

    def _count(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(_TICK_S)
            at = time.monotonic()
            if at - before > _TICK_S + _NOTED_S:
                self.stood_still = at
            self.ticks, before = self.ticks + 1, at


_clock = cache(_Clock)


def awake() -> float:
    """Seconds like those of `time.monotonic`, without those in which this process stood still or got no processor."""
    return _clock().ticks * _TICK_S


def has_stood_still(since: float) -> bool:
    time.sleep(3 * _TICK_S)  # until the clock has seen it, too
    return _clock().stood_still >= since


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    _clock()
    for left in reversed(range(_TRIES)):
        began = time.monotonic()
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        failed = [report for report in reports if report.failed]
        is_last = not failed or not left or not has_stood_still(began)
        for report in failed if not is_last else []:
            report.outcome = _AGAIN  # type: ignore[assignment]
        for report in reports if is_last else failed:
            item.ihook.pytest_runtest_logreport(report=report)
        if is_last:
            break
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    return (_AGAIN, "A", (_AGAIN.upper(), {"yellow": True})) if report.outcome == _AGAIN else None


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    for report in terminalreporter.stats.get(_AGAIN, []):
        _, _, why = report.longreprtext.rpartition("\nE  ")
        line = f"RUN AGAIN, the machine stood still: {report.nodeid} - {why.strip().partition(chr(10))[0]}"
        terminalreporter.write_line(line, yellow=True)
