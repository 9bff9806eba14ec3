"""The journal when it is full: two million rows that wait for an uplink. Runs only when it is named.

Its floors are the same uplink and the same recorder over a journal of ten thousand rows: nothing may grow with what
waits. The drain of 200,000 rows has bare paho as its floor, as in `drain`. The rows are made without syncs, all
alike but for their sequence and id. Memory is that of a process of its own (`python -m tests.bench.million FILE PORT`),
which opens the journal and drains some of it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from rich.progress import Progress

from gateway.journal import Journal, schema
from gateway.keys import Keys
from tests.bench.drain import WINDOW, bodies, drain, publish_bare
from tests.bench.figures import Aim, Figure, Report, percentile
from tests.bench.keep import GROUP, card_event, record, row_of
from tests.bench.site import ROOT
from tests.real import Mosquitto

MANY, FEW = 2_000_000, 10_000
DRAINED = 200_000
ROUNDS = 3
_CHUNK = 50_000


def bench(folder: Path, progress: Progress) -> Report:
    paths = {rows: folder / str(rows) / "journal.db" for rows in (FEW, MANY)}
    for rows, path in paths.items():
        for _ in progress.track(_fill(path, rows), total=rows // _CHUNK, description=f"{rows} rows"):
            pass
    drained: dict[int, list[float]] = {FEW: [], MANY: []}
    recorded: dict[int, list[float]] = {FEW: [], MANY: []}
    with Mosquitto(folder / "broker", "max_queued_messages 0") as broker:
        resident = {rows: _resident(path, broker.port) for rows, path in paths.items()}
        with closing(Journal(paths[FEW])) as few, closing(Journal(paths[MANY])) as many:
            keys = Keys(folder)
            for number in progress.track(range(ROUNDS), description="ten thousand and two million in turn"):
                for rows, journal in ((FEW, few), (MANY, many)):
                    drained[rows].append(FEW / drain(journal, keys, broker.port, f"turn-{number}", FEW))
                    recorded[rows].append(1 / record(journal)[0])
            long = DRAINED / drain(many, keys, broker.port, "long", DRAINED)
            ready = bodies(few, keys, GROUP)
            bare = DRAINED / publish_bare(ready * (DRAINED // len(ready)), broker.port)
    return Report(
        [
            Figure(f"drain of {DRAINED} rows", long, "events/s", bare, Aim("ratio", "≥", 0.8)),
            _compare("drain at 2 million rows", "events/s", drained),
            _compare("eight threads record at 2 million rows", "bursts/s", recorded),
            Figure(
                "resident, more at 2 million rows", resident[MANY] - resident[FEW], "MB", None, Aim("value", "≤", 20)
            ),
        ],
        [f"{MANY} rows waiting, floor {FEW}; window {WINDOW}; {resident[FEW]:.0f} MB resident at {FEW} rows"],
    )


def _compare(name: str, unit: str, rates: dict[int, list[float]]) -> Figure:
    return Figure(name, percentile(rates[MANY], 0.5), unit, percentile(rates[FEW], 0.5), Aim("ratio", "≥", 0.9))


def _fill(path: Path, rows: int) -> Iterator[int]:
    """Make a journal of so many rows; yields after each chunk."""
    path.parent.mkdir(parents=True)
    Journal(path).close()
    with closing(schema.open_writer(path, synced=False)) as writer:
        _, _, *rest = row_of(0, card_event())
        for start in range(1, rows + 1, _CHUNK):
            stop = min(start + _CHUNK, rows + 1)
            writer.execute("BEGIN")
            writer.executemany(
                schema.INSERT_EVENT, ((seq, f"01970000-{seq:027d}", *rest) for seq in range(start, stop))
            )
            writer.execute("COMMIT")
            yield stop


def _resident(path: Path, port: int) -> float:
    """MB of a process that has opened the journal and drained some of it."""
    command = [sys.executable, "-m", "tests.bench.million", str(path), str(port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(path: str, port: int) -> None:
    with closing(Journal(Path(path))) as journal:
        drain(journal, Keys(Path(path).parent), port, f"alone-{time.time_ns()}", FEW // 2)
        print(psutil.Process().memory_info().rss / 1e6)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
