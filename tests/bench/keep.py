"""Into the journal: one event alone, and what eight threads record at once.

The floor of a lone append is one synced commit of a row as long to a table without an index. The floor of the group is
one thread of bare sqlite3 that makes each row's JSON and inserts it with `executemany` into the same
tables with the same indexes, committing groups as large as the recorder's were. It has no guard, no sequence of its
own, no threads and nobody to tell. Both are given the events beforehand: making them is the doorkeeper's work.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.progress import Progress

from gateway import fastjson
from gateway.board import Board
from gateway.clock import now
from gateway.journal import Journal, migrations, schema
from gateway.recorder import Recorder
from gateway.types import Event
from tests.bench.bare import open_bare
from tests.bench.figures import Aim, Figure, Report, percentile, timed

LONE = 300
ROUNDS = 9
THREADS = 8
EACH = 1000  # events a thread records: together fewer than the recorder's queue holds
_WARM, GROUP = 12, 500  # commits first, until the write-ahead log has its full size
_BODY = b"x" * 600  # as long as the row of a granted card
_LONE_AIM, _GROUP_AIM = Aim("ratio", "≤", 1.3), Aim("ratio", "≥", 0.8)
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
    with closing(Journal(folder / "journal.db")) as journal, closing(open_bare(folder / "bare.db")) as bare:
        for _ in range(_WARM):
            journal.append([card_event() for _ in range(GROUP)], _BOOT)
        lone, lone_floor = _append_alone(journal, bare, progress)
        group, rates, rate_floors = _append_in_groups(journal, folder / "grouped.db", progress)
    return Report(
        [
            Figure("lone append, median", percentile(lone, 0.5), "ms", percentile(lone_floor, 0.5), _LONE_AIM),
            Figure("lone append, p99", percentile(lone, 0.99), "ms", percentile(lone_floor, 0.99)),
            Figure(
                "eight threads record", percentile(rates, 0.5), "events/s", percentile(rate_floors, 0.5), _GROUP_AIM
            ),
        ],
        [f"{LONE} lone appends; {THREADS * EACH} events by {THREADS} threads, {group:.0f} a commit, {ROUNDS} rounds"],
    )


def _append_alone(journal: Journal, bare: sqlite3.Connection, progress: Progress) -> tuple[list[float], list[float]]:
    """Milliseconds of each append, and of each bare commit in turn."""
    took: list[float] = []
    floor: list[float] = []
    for _ in progress.track(range(LONE), description="lone appends, and bare commits in turn"):
        event = card_event()
        took.append(timed(lambda event=event: journal.append([event], _BOOT)) * 1000)  # type: ignore[misc]
        floor.append(timed(lambda: commit_bare(bare)) * 1000)
    return took, floor


def commit_bare(bare: sqlite3.Connection) -> None:
    bare.execute("BEGIN IMMEDIATE")
    bare.execute("INSERT INTO rows (body) VALUES (?)", (_BODY,))
    bare.execute("COMMIT")


def _append_in_groups(journal: Journal, path: Path, progress: Progress) -> tuple[float, list[float], list[float]]:
    """The mean group, events a second of each round, and rows a second of bare groups as large in turn."""
    groups: list[float] = []
    rates: list[float] = []
    floors: list[float] = []
    with closing(schema.open_writer(path, synced=True)) as bare:
        migrations.prepare(bare)
        _commit_groups(bare, [card_event() for _ in range(_WARM * GROUP)], GROUP)
        for _ in progress.track(range(ROUNDS), description="eight threads, and bare groups in turn"):
            seconds, group = record(journal)
            rates.append(THREADS * EACH / seconds)
            groups.append(group)
            events = [card_event() for _ in range(THREADS * EACH)]
            floors.append(len(events) / _commit_groups(bare, events, round(group)))
    return percentile(groups, 0.5), rates, floors


def _commit_groups(bare: sqlite3.Connection, events: Sequence[Event], size: int) -> float:
    """Seconds that bare sqlite3 takes for the rows of these events, their JSON made on the way."""
    ((last,),) = bare.execute("SELECT coalesce(max(seq), 0) FROM events")
    both = [(row_of(last + number, event), event) for number, event in enumerate(events, 1)]
    began = time.perf_counter()
    for at in range(0, len(both), size):
        group = [(*row[:11], fastjson.write(event.data).decode(), *row[12:]) for row, event in both[at : at + size]]
        bare.execute("BEGIN IMMEDIATE")
        bare.executemany(schema.INSERT_EVENT, group)
        bare.execute("COMMIT")
    return time.perf_counter() - began


def row_of(seq: int, event: Event) -> tuple[Any, ...]:
    """A row as the journal would keep it, in the order of `schema.EVENT_COLUMNS`."""
    when = int(event.stamp.time.timestamp() * 1_000_000)
    clock, uptime_ms = event.stamp.trust.value, int(event.stamp.mono * 1000)
    head = (event.id, "access", event.name, event.subject, when, clock, uptime_ms, _BOOT)
    return seq, *head, event.passage, event.origin, json.dumps(event.data), "1,0,0,0,0,0,0,0", None


def record(journal: Journal) -> tuple[float, float]:
    """Seconds until all that eight threads recorded is on the disk, and the mean size of a commit."""
    board = Board()
    recorder = Recorder(journal, board)
    stop, left = threading.Event(), [THREADS * EACH]
    done = threading.Event()

    def kept() -> None:  # on the recorder's thread
        left[0] -= 1
        if not left[0]:
            done.set()

    def work(events: Sequence[Event]) -> None:
        for event in events:
            recorder.record(event, kept)

    shares = [[card_event() for _ in range(EACH)] for _ in range(THREADS)]
    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    keeper = threading.Thread(target=recorder.run, args=(stop,))
    keeper.start()
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    assert done.wait(60), "eight threads' events were not kept within a minute"
    seconds = time.perf_counter() - began
    stop.set()
    for thread in (*threads, keeper):
        thread.join()
    counted = board.counters()
    return seconds, counted["recorder.events"] / counted["recorder.commits"]
