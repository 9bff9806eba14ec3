"""What an event costs the SD card: bytes that the door process writes to the disk, per card, at three paces.

The real daemon with one reader and one uplink, so the cursors of the uplink are in it, the write-ahead log being copied
into the database, and what it writes when nothing happens, which is told apart. The kernel counts (/proc/PID/io) whole
pages of 4 kB that became dirty, less those whose file went before they were written. The floor is what bare sqlite3
writes for one synced commit of a row as long.
"""

from __future__ import annotations

import os
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from rich.progress import Progress

from tests.bench.bare import open_bare
from tests.bench.figures import Figure, Report
from tests.bench.keep import commit_bare
from tests.bench.site import KNOWN, door_house
from tests.house import House, SerialLine
from tests.real import Mosquitto, wait_until

PACES = {1: 20, 10: 200, 50: 1000}  # cards a second: how many cards
_COMMITS = 300
_SETTLING_S, _REST_S = 3, 10


def bench(folder: Path, progress: Progress) -> Report:
    floor = _bare_commit(folder / "bare.db")
    figures: list[Figure] = []
    with (
        Mosquitto(folder / "broker") as broker,
        closing(SerialLine()) as line,
        door_house(folder / "house", line.path, broker.port) as house,
    ):
        house.wait_online("reader")
        daemon = int(house.status()["pid"])
        time.sleep(_SETTLING_S)
        before = _written(daemon)
        for _ in progress.track(range(_REST_S), description="at rest"):
            time.sleep(1)
        figures.append(Figure("written in a second at rest", (_written(daemon) - before) / _REST_S, "B"))
        for pace, cards in PACES.items():
            before, shown = _written(daemon), len(house.events()) + cards
            for _ in progress.track(range(cards), description=f"{pace} cards a second"):
                line.present(KNOWN)
                time.sleep(1 / pace)
            wait_until(partial(_has_shown, house, shown), 30, "each card on the disk")
            figures.append(Figure(f"written per card at {pace}/s", (_written(daemon) - before) / cards, "B", floor))
    return Report(
        figures, [f"{', '.join(str(cards) for cards in PACES.values())} cards; floor {_COMMITS} bare commits"]
    )


def _has_shown(house: House, count: int) -> bool:
    return len(house.events()) >= count


def _written(pid: int | str) -> int:
    """Bytes that a process has sent towards the disk so far."""
    lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    counts = {name: int(count) for name, _, count in (line.partition(":") for line in lines)}
    return counts["write_bytes"] - counts["cancelled_write_bytes"]


def _bare_commit(path: Path) -> float:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(open_bare(path)) as bare:
        before = _written(os.getpid())
        for _ in range(_COMMITS):
            commit_bare(bare)
        return (_written(os.getpid()) - before) / _COMMITS
