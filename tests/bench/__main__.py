"""Runs the benches named on the command line, or all but the long one: a table, and bench-out/bench.json."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from gateway.errors import GatewayError
from tests.bench import cameras, card, drain, frames, keep, memory, million, peer, plate, search, start, wear
from tests.bench.figures import Bench, Figure, Report
from tests.bench.site import ROOT

BENCHES: dict[str, Bench] = {
    "card": card.bench,
    "memory": memory.bench,
    "start": start.bench,
    "frames": frames.bench,
    "plate": plate.bench,
    "search": search.bench,
    "cameras": cameras.bench,
    "keep": keep.bench,
    "drain": drain.bench,
    "wear": wear.bench,
    "million": million.bench,
    "peer": peer.bench,
}
_ONLY_BY_NAME = {"million", "peer"}  # minutes and two gigabytes of disk; another program from PyPI
_OUT = ROOT / "bench-out" / "bench.json"


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else 120)
    began = time.monotonic()
    before = _machine()
    reports: dict[str, Report] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in names or [name for name in BENCHES if name not in _ONLY_BY_NAME]:
            with Progress(console=console, refresh_per_second=1, transient=True) as progress:
                reports[name] = _run(BENCHES[name], Path(folder) / name, progress)
    console.print(_table(reports))
    for name, report in reports.items():
        for note in report.notes:
            console.print(f"{name}: {note}", highlight=False, markup=False)
    after = _machine()
    console.print(f"load before {before['load']}, after {after['load']}; {time.monotonic() - began:.0f} s in all")
    _OUT.parent.mkdir(exist_ok=True)
    _OUT.write_text(json.dumps(_as_json(reports, before, after), ensure_ascii=False, indent=2), encoding="utf-8")
    return 1 if any("FAILED" in note for report in reports.values() for note in report.notes) else 0


def _run(bench: Bench, folder: Path, progress: Progress) -> Report:
    """A bench whose parts do not work says so and leaves the others."""
    try:
        return bench(folder, progress)
    except (AssertionError, GatewayError, OSError) as error:
        return Report([], [f"FAILED: {error}"])


def _table(reports: dict[str, Report]) -> Table:
    table = Table("bench", "figure", title="compound-gateway")
    for column in ("measured", "floor", "ratio", "aim"):
        table.add_column(column, justify="right")
    for name, report in reports.items():
        for figure in report.figures:
            table.add_row(name, figure.name, *_cells(figure))
        table.add_section()
    return table


def _cells(figure: Figure) -> list[str]:
    mark = {None: "", True: " ✔", False: " ✘"}[figure.met]
    floor = "" if figure.floor is None else f"{figure.floor:.4g}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    return [f"{figure.value:.4g} {figure.unit}", floor, ratio, f"{figure.aim or ''}{mark}"]


def _machine() -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": [round(value, 1) for value in os.getloadavg()],
    }


def _as_json(reports: dict[str, Report], before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    benches = {
        name: {"figures": [figure.as_json() for figure in report.figures], "notes": list(report.notes)}
        for name, report in reports.items()
    }
    return {"before": before, "after": after, "benches": benches}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
