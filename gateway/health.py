"""How this box is doing, once a minute: what every uplink sends as `health`.

Rule: everything is read from /proc and the board; nothing here asks a device or waits for anyone.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway import clock
from gateway.board import Board
from gateway.cloudevent import local_time
from gateway.errors import StoreError
from gateway.journal import Journal
from gateway.messages import Sample
from gateway.messages.standing import Backlog, Cpu, Disk, Memory, VisionState
from gateway.types import EventClass

log = logging.getLogger(__name__)

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Health:
    """`run` is one thread's work; each sample is the board's fact `health`. `uplinks` names the classes of each."""

    def __init__(
        self,
        journal: Journal,
        board: Board,
        uplinks: Mapping[str, Collection[EventClass]],
        data_dir: Path,
        zone: ZoneInfo,
        *,
        every: float = 60.0,
    ) -> None:
        self._journal = journal
        self._board = board
        self._uplinks = uplinks
        self._data_dir = data_dir
        self._zone = zone
        self._every = every
        self._machine = _machine_ticks()
        self._process = (time.monotonic(), _process_seconds())

    def run(self, stop: threading.Event) -> None:
        due, fault = 0.0, ""
        while not stop.is_set():
            self._board.beat("health")
            if time.monotonic() >= due:
                due = time.monotonic() + self._every
                try:
                    self._board.note("health", self.sample())
                    fault = ""
                except OSError as error:  # the data folder has gone, say: said once, tried again
                    if str(error) != fault:
                        log.error("no health can be told: %s", error)
                    fault = str(error)
            stop.wait(0.5)
        self._board.retire("health")

    def sample(self) -> Sample:
        """The state since the last sample, JSON-able."""
        return {
            "time": local_time(clock.now().time, self._zone),
            "uptime_s": int(time.monotonic()),
            "cpu": self._cpu(),
            "memory": _memory(),
            "disk": self._disk(),
            "journal": {"last_seq": self._journal.last_seq, "fault": self._board.facts().get("journal.fault")},
            "uplinks": self._pending(),
            "clock": {"trust": clock.trust(), "offset_s": clock.offset()},
            "devices": {device.name: device.status for device in self._board.devices()},
            "vision": self._vision(),
            "counters": self._board.counters(),
        }

    def _cpu(self) -> Cpu:
        busy, total = _machine_ticks()
        at, used = time.monotonic(), _process_seconds()
        before_busy, before_total = self._machine
        before_at, before_used = self._process
        self._machine, self._process = (busy, total), (at, used)
        return {
            "busy": round((busy - before_busy) / max(1, total - before_total), 3),  # of all cores
            "process": round((used - before_used) / max(0.001, at - before_at), 3),  # of one core
            "load": [round(value, 2) for value in os.getloadavg()],
            "cores": os.cpu_count(),
        }

    def _disk(self) -> Disk:
        usage = shutil.disk_usage(self._data_dir)
        return {"free": usage.free, "total": usage.total}

    def _vision(self) -> VisionState:
        """`pace` below 1: this box is too slow for its cameras, and all have that share of their `fps`."""
        said = self._board.facts().get("vision") or {}
        cameras = said.get("cameras") or {}
        return {
            "pace": said.get("pace"),
            "memory": said.get("memory"),
            "restarts": said.get("restarts", 0),
            "fps": {name: camera["fps"] for name, camera in cameras.items()},
        }

    def _pending(self) -> dict[str, Backlog | None]:
        """Per uplink: how many events wait, since when the oldest, how many dead letters; None if unreadable."""
        found: dict[str, Backlog | None] = {}
        for name, classes in self._uplinks.items():
            try:
                pending = self._journal.pending(name, classes)
                dead = self._journal.count_dead(name)
            except StoreError:
                found[name] = None
                continue
            oldest = local_time(pending.oldest, self._zone) if pending.oldest else None
            found[name] = {"backlog": pending.count, "oldest_pending": oldest, "dead_letters": dead}
        return found


def _machine_ticks() -> tuple[int, int]:
    """Busy and all ticks of all cores since boot (proc(5), /proc/stat)."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)


def _process_seconds() -> float:
    """CPU seconds of this process (proc(5), /proc/self/stat, after the name in parentheses)."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory() -> Memory:
    """Bytes: of the machine and of this process."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    values = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    rss = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    return {"total": values["MemTotal"], "available": values["MemAvailable"], "rss": rss}
