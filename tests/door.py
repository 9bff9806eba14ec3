"""The door process's side of recognition, for tests: a real vision child under a real supervisor."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from gateway.board import Board
from gateway.settings import Settings
from gateway.supervisor import Seen, Supervisor
from gateway.types import DeviceStatus, PlateSeen
from tests import striped
from tests.real import PATIENCE_S, wait_until


def lives(pid: int) -> bool:
    """Whether there is a process; what has ended and only waits for an init that fetches nobody is none."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def settings(tmp_path: Path, **cameras: dict[str, Any]) -> Settings:
    return Settings.model_validate(
        {
            "site": {"compound_id": "test", "name": "test", "language": "en"},
            "gateway": {"id": "box", "data_dir": str(tmp_path)},
            "points": {"gate": {"name": "Gate", "kind": "vehicle", "direction": "in"}},
            "cameras": {name: {"point": "gate", "recognise": ["plate"], **table} for name, table in cameras.items()},
        }
    )


def impatient(given: Settings) -> Settings:
    """The least time without a beat that the configuration allows."""
    return given.model_copy(update={"vision": given.vision.model_copy(update={"stall_s": 2.0})})


class Door:
    """The door process's side: what was submitted, what was on the board."""

    def __init__(self, given: Settings, command: Sequence[str] = striped.COMMAND, *, settles: bool = True) -> None:
        self.board = Board()
        self.seen: list[Seen] = []
        self.changes: list[tuple[str, DeviceStatus, str]] = []
        self.board.on_device(lambda state: self.changes.append((state.name, state.status, state.detail)))
        self._settles = settles
        self.supervisor = Supervisor(given, self._submit, self.board, command=command)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.supervisor.run, args=(self._stop,))

    def _submit(self, seen: Seen) -> None:
        self.seen.append(seen)
        if self._settles and seen.token is not None:
            self.supervisor.settle(seen.device, seen.token)

    @contextmanager
    def open(self) -> Iterator[Door]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(PATIENCE_S)
            assert not self._thread.is_alive()

    @property
    def vision(self) -> dict[str, Any]:
        found: dict[str, Any] = self.board.facts().get("vision", {})
        return found

    @property
    def pid(self) -> int:
        return int(self.vision.get("pid") or 0)

    def decoders(self) -> list[int]:
        """Their process ids."""
        found = []
        for process in psutil.Process(self.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has ended since
                found += [process.pid] if process.name() == "decoder" else []
        return found

    def status(self, camera: str) -> DeviceStatus | None:
        return next((state.status for state in self.board.devices() if state.name == camera), None)

    def wait_online(self, camera: str = "cam") -> None:
        wait_until(lambda: self.pid and self.status(camera) is DeviceStatus.ONLINE, what=f"{camera}: {self.vision}")

    def wait_fault(self, words: str) -> None:
        def told() -> bool:
            return any(status is DeviceStatus.FAULT and words in detail for _, status, detail in self.changes)

        wait_until(told, what=f"{words}: {self.changes}")

    def numbers(self) -> list[str]:
        return [seen.plate.number for seen in self.seen if isinstance(seen, PlateSeen) and seen.plate]


def fill(folder: Path, numbers: Sequence[int]) -> None:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / f"{number}.jpg").write_bytes(striped.jpeg(striped.paint(number)))
