"""The witness: `compound-gateway events --follow`, which prints an event only after its commit was synced.

What it has printed was accepted, whatever is left on the disk later. It is a process of its own and survives the kills.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Witness:
    """`seen` is everything that any run of it has printed, by id."""

    def __init__(self, folder: Path, config: Path) -> None:
        self._store = folder / "witness.jsonl"
        self._log = folder / "witness.log"
        self._line = [sys.executable, "-m", "gateway", "events", "--follow", "--json", "--config", str(config)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin where there is a journal file already."""
        with self._store.open("ab") as store, self._log.open("ab") as log:
            self._process = subprocess.Popen(self._line, stdout=store, stderr=log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def note(self, events: Iterable[dict[str, Any]]) -> None:
        """Something else has seen these."""
        with self._store.open("a", encoding="utf-8") as store:
            store.writelines(json.dumps(event) + "\n" for event in events)

    def seen(self) -> dict[str, dict[str, Any]]:
        if not self._store.exists():
            return {}
        whole = (line for line in self._store.read_bytes().split(b"\n") if line.endswith(b"}"))
        return {event["id"]: event for event in map(json.loads, whole)}
