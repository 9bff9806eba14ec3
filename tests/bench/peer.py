"""Beside the storage of thingsboard-gateway 3.8.5, from PyPI: what eight threads put, and when it is on the disk.

Runs only when it is named. Theirs takes events into memory and commits a thousand at a time, at `synchronous=NORMAL`:
texts of 400 bytes that are JSON already, and objects that are made JSON first, as its service does. Ours takes objects,
looks for what may not leave the box, numbers them and commits at FULL. Theirs gets more of them, since it looks for new
ones five times a second.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from pathlib import Path

from rich.progress import Progress

from gateway.journal import Journal
from tests.bench import keep
from tests.bench.figures import Figure, Report, percentile
from tests.chaos import needs

ROUNDS = 5
_COUNT = 100_000
_SCRIPT = Path(__file__).with_name("peer_storage.py")


def bench(folder: Path, progress: Progress) -> Report:
    if missing := needs.install(needs.PEER, needs.PEER_VENV):
        raise OSError(missing)
    rates: dict[str, list[float]] = {name: [] for name in ("put", "text", "objects", "ours")}
    with closing(Journal(folder / "journal.db")) as journal:
        keep.record(journal)  # until its log has its full size
        for number in progress.track(range(ROUNDS), description="theirs and ours in turn"):
            texts, objects = _store(folder / f"{number}-text"), _store(folder / f"{number}-objects")
            rates["put"].append(_COUNT / texts["put"])
            rates["text"].append(_COUNT / texts["kept"])
            rates["objects"].append(_COUNT / objects["kept"])
            rates["ours"].append(keep.THREADS * keep.EACH / keep.record(journal)[0])
    named = {
        "put": "thingsboard-gateway, texts into memory",
        "text": "thingsboard-gateway, texts on the disk",
        "objects": "thingsboard-gateway, objects on the disk",
        "ours": "compound-gateway, objects on the disk",
    }
    return Report(
        [Figure(name, percentile(rates[key], 0.5), "events/s") for key, name in named.items()],
        [f"{needs.PEER}: {_COUNT} events, ours {keep.THREADS * keep.EACH}, {keep.THREADS} threads, {ROUNDS} rounds"],
    )


def _store(folder: Path) -> dict[str, float]:
    """Seconds: `put` until all are in memory, `kept` until all are on the disk. The folder is named for their form."""
    folder.mkdir()
    python, form = needs.PEER_VENV / "bin" / "python", folder.name.partition("-")[2]
    command = [str(python), str(_SCRIPT), str(folder), str(_COUNT), str(keep.THREADS), form]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise OSError(f"the storage of {needs.PEER} failed: {done.stderr.strip().rpartition(chr(10))[2]}")
    took: dict[str, float] = json.loads(done.stdout)
    return took
