"""Runs the scenarios named on the command line, or all: a table for people, chaos-out/chaos.json for machines."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.errors import GatewayError
from tests.bench.site import ROOT
from tests.chaos import needs, of_broker, of_camera, of_clock, of_cluster, of_daemon, of_disk
from tests.chaos.scenario import Outcome, Plan, Run, Scenario

SCENARIOS: dict[str, Scenario] = {
    **of_daemon.SCENARIOS,
    **of_broker.SCENARIOS,
    **of_disk.SCENARIOS,
    **of_clock.SCENARIOS,
    **of_cluster.SCENARIOS,
    **of_camera.SCENARIOS,
}
_OUT = ROOT / "chaos-out"


def main(words: Sequence[str]) -> int:
    asked = _parse(words)
    signal.signal(signal.SIGTERM, _end)
    names = asked.scenarios or list(SCENARIOS)
    if missing := needs.missing(SCENARIOS[name].needs for name in names):
        print(missing, file=sys.stderr)
        return 1
    console = Console(width=None if sys.stdout.isatty() else 150)
    seed = asked.seed if asked.seed is not None else random.randrange(1 << 32)
    console.print(f"seed {seed}, kills {asked.kills}, scale {asked.scale:g}", highlight=False)
    rows: dict[str, dict[str, Any]] = {}
    for name in names:
        folder = _OUT / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        began = time.monotonic()
        rows[name] = _run(SCENARIOS[name].run, Plan(folder, asked.kills, asked.scale, random.Random(f"{seed} {name}")))
        rows[name]["took_s"] = round(time.monotonic() - began, 1)
        console.print(_line(name, rows[name]), highlight=False, markup=False, soft_wrap=True)
        about = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "seed": seed, "scale": asked.scale}
        text = json.dumps({**about, "scenarios": rows}, ensure_ascii=False, indent=2)
        (_OUT / "chaos.json").write_text(text, encoding="utf-8")
    console.print(_table(rows))
    return 0 if all(row["passed"] for row in rows.values()) else 1


def _end(*_: object) -> None:
    """What was started is ended and what was mounted is unmounted; a second signal does not disturb that."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--kills", type=int, default=50, help="kill -9 so often; the promise was proven with 1000")
    parser.add_argument("--scale", type=float, default=1.0, help="shorten outages and backlogs: 0.1 is a tenth")
    parser.add_argument("--seed", type=int, help="the random points of an earlier run")
    asked = parser.parse_args(words)
    if unknown := [name for name in asked.scenarios if name not in SCENARIOS]:
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    return asked


def _run(scenario: Run, plan: Plan) -> dict[str, Any]:
    """A scenario whose parts do not work has failed, and leaves the others."""
    try:
        outcome = scenario(plan)
    except (AssertionError, GatewayError, OSError) as error:
        return {"passed": False, "broke": str(error)}
    return {"passed": outcome.passed, **_figures(outcome)}


def _figures(outcome: Outcome) -> dict[str, Any]:
    def span(values: Sequence[float]) -> dict[str, float] | None:
        middle = sorted(values)[len(values) // 2] if values else 0.0
        return {"median": round(middle, 3), "longest": round(max(values), 3)} if values else None

    tally = outcome.tally
    return {
        **asdict(tally),
        "strange": [f"{len(tally.strange)} messages unlike the documents: {one}" for one in tally.strange[:1]],
        "dropped": tally.dropped,
        "recovered_s": span(outcome.recovered),
        "door_s": span(outcome.door),
        "faults": list(outcome.faults),
        "notes": list(outcome.notes),
    }


def _line(name: str, row: dict[str, Any]) -> str:
    verdict = "pass" if row["passed"] else "FAIL"
    said = [row.get("broke", ""), *(text for key in ("strange", "faults", "notes") for text in row.get(key, ()))]
    return f"{verdict}  {name}  {row['took_s']} s  {'; '.join(filter(None, said))}"


def _table(rows: dict[str, dict[str, Any]]) -> Table:
    table = Table("scenario", "", title="compound-gateway under faults")
    heads = ("cards", "accepted", "city", "street", "twice", "lost", "told", "gaps", "no event", "back after", "door")
    for head in heads:
        table.add_column(head, justify="right")
    for name, row in rows.items():
        table.add_row(name, "pass" if row["passed"] else "FAIL", *(_cells(row) if "broke" not in row else ()))
    return table


def _cells(row: dict[str, Any]) -> list[str]:
    city, street = row["platforms"].values()

    def both(figure: str) -> str:
        return f"{city[figure]} + {street[figure]}"

    def seconds(figure: str) -> str:
        return f"{row[figure]['longest']:.2f} s" if row[figure] else ""

    counts = [row["presented"], row["accepted"], city["stored"], street["stored"]]
    told = f"{city['explained'] + row['told']}"
    texts = [both("duplicates"), both("lost"), told, both("gaps"), str(row["dropped"])]
    return [*map(str, counts), *texts, seconds("recovered_s"), seconds("door_s")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
