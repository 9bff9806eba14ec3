"""What systemd hears from us: READY, STATUS in words, WATCHDOG fed by work done (sd_notify(3), without a library).

Rule: the watchdog is fed from memory alone. A slow disk may delay the words, never the feeding.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable

from gateway.board import Board

log = logging.getLogger(__name__)


def notify(*lines: str) -> None:
    """Send state lines such as `READY=1` to systemd, which takes each `\\n` for the end of one.

    Does nothing where no systemd listens.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
            link.settimeout(0.5)
            link.sendto("\n".join(" ".join(line.splitlines()) for line in lines).encode(), address)
    except OSError as error:
        log.warning("systemd did not take %s: %s", lines[0], error)


def watchdog_period() -> float:
    """Seconds between two feedings: a third of WatchdogSec, and never more than 5 s."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    return min(5.0, int(usec) / 3e6) if usec.isdecimal() and int(usec) else 5.0


class Watchdog:
    """Feeds systemd's watchdog only while every part of the door process beats."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def run(self, stop: threading.Event) -> None:
        period = watchdog_period()
        starved = False
        while not stop.wait(period):
            silent = self._board.silent()
            if not silent:
                notify("WATCHDOG=1")
            elif not starved:
                log.error("no work from: %s; the watchdog is not fed", ", ".join(silent))
            starved = bool(silent)


class StatusLine:
    """Says in words how things stand, on a thread of its own: `words` may have to wait for the disk."""

    def __init__(self, words: Callable[[], str], *, every: float = 5.0) -> None:
        self._words, self._every = words, every

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(self._every):
            notify(f"STATUS={self._words()}")
