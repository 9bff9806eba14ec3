"""Into the journal: one event alone, and what eight threads record at once.

The floor of a lone append is one synced commit of the same row to a table without an index. The floor of the group is
bare sqlite3 committing the same rows, made beforehand, in groups as large as the recorder's were.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress

from gateway.board import Board
from gateway.clock import now
from gateway.journal import Journal
from gateway.recorder import Recorder
from gateway.types import Event
from tests.bench.bare import open_bare
from tests.bench.figures import Figure, Report, percentile, timed

LONE = 300
ROUNDS = 5
THREADS = 8
EACH = 1000  # events a thread records: together fewer than the recorder's queue holds
_WARM, _GROUP = 12, 500  # commits first, until the write-ahead log has its full size
_BOOT = "5f0c1e2a-0000-4000-8000-000000000001"


def card_event() -> Event:
    """As the doorkeeper makes it for a granted card."""
    holder = {"id": "r-0502", "ref": "h:9f2c51d0a7b3e846", "kind": "resident", "category": "owner", "room": "3-1-0502"}
    data: dict[str, Any] = {
        "point": "east-door",
        "direction": "in",
        "device": "east-reader",
        "method": "card",
        "method_code": "100101",
        "granted": True,
        "reason": "ok",
        "opened": True,
        "latency_ms": 3,
        "holder": holder,
        "credential_ref": "c:77ab02dd91c44f10",
    }
    return Event("access.granted", "east-door", now(), data, passage="01970000-0000-7000-8000-000000000000")


def bench(folder: Path, progress: Progress) -> Report:
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "journal.db")
    bare = open_bare(folder / "bare.db")
    bodies = [b"x" * 700] * (THREADS * EACH)
    lone: list[float] = []
    lone_floor: list[float] = []
    rates: list[float] = []
    rate_floors: list[float] = []
    groups: list[float] = []
    try:
        for _ in range(_WARM):
            journal.append([card_event() for _ in range(_GROUP)], _BOOT)
        for _ in progress.track(range(LONE), description="lone appends, and bare commits in turn"):
            event = card_event()
            lone.append(timed(lambda event=event: journal.append([event], _BOOT)) * 1000)  # type: ignore[misc]
            lone_floor.append(timed(lambda: _commit(bare, bodies[:1])) * 1000)
        for _ in progress.track(range(ROUNDS), description="eight threads, and bare groups in turn"):
            seconds, group = _record(journal)
            rates.append(THREADS * EACH / seconds)
            groups.append(group)
            rate_floors.append(len(bodies) / timed(lambda size=group: _commit_groups(bare, bodies, round(size))))  # type: ignore[misc]
    finally:
        bare.close()
        journal.close()
    median = percentile(rates, 0.5)
    return Report(
        [
            Figure("lone append, median", percentile(lone, 0.5), "ms", percentile(lone_floor, 0.5)),
            Figure("lone append, p99", percentile(lone, 0.99), "ms", percentile(lone_floor, 0.99)),
            Figure("eight threads record", median, "events/s", percentile(rate_floors, 0.5)),
        ],
        [f"{LONE} lone appends; {THREADS * EACH} events by {THREADS} threads, {percentile(groups, 0.5):.0f} a commit"],
    )


def _commit(bare: Any, bodies: Sequence[bytes]) -> None:
    bare.execute("BEGIN IMMEDIATE")
    bare.executemany("INSERT INTO rows (body) VALUES (?)", [(body,) for body in bodies])
    bare.execute("COMMIT")


def _commit_groups(bare: Any, bodies: Sequence[bytes], size: int) -> None:
    for at in range(0, len(bodies), size):
        _commit(bare, bodies[at : at + size])


def _record(journal: Journal) -> tuple[float, float]:
    """Seconds until all that eight threads recorded is on the disk, and the mean size of a commit."""
    board = Board()
    recorder = Recorder(journal, board)
    stop, left = threading.Event(), [THREADS * EACH]
    done = threading.Event()

    def kept() -> None:  # on the recorder's thread
        left[0] -= 1
        if not left[0]:
            done.set()

    def work() -> None:
        for _ in range(EACH):
            recorder.record(card_event(), kept)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    keeper = threading.Thread(target=recorder.run, args=(stop,))
    keeper.start()
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    done.wait(60)
    seconds = time.perf_counter() - began
    stop.set()
    for thread in (*threads, keeper):
        thread.join()
    counted = board.counters()
    return seconds, counted["recorder.events"] / counted["recorder.commits"]
