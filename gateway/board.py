"""The board on which every part writes how it is doing: device states, beats, counters.

`status`, `health`, the watchdog and the uplinks read it; nobody else needs to know who writes.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.clock import Stamp, now
from gateway.types import DeviceStatus


@dataclass(frozen=True, slots=True)
class DeviceState:
    """One device as last reported. `detail` is for people: the error and its hint."""

    name: str
    kind: str  # reader | camera | actuator
    point: str | None
    status: DeviceStatus
    since: Stamp
    detail: str = ""


class Board:
    """Thread-safe. Writers never block on readers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._beats: dict[str, tuple[float, float]] = {}  # part -> (monotonic of last beat, allowed age)
        self._devices: dict[str, DeviceState] = {}
        self._counters: Counter[str] = Counter()
        self._facts: dict[str, Any] = {}
        self._listeners: list[Callable[[DeviceState], None]] = []

    def beat(self, part: str, *, allowed_age: float = 10.0) -> None:
        """A part did a round of its work. Older than `allowed_age` seconds, the watchdog is not fed."""
        with self._lock:
            self._beats[part] = (time.monotonic(), allowed_age)

    def retire(self, part: str) -> None:
        """A part has ended on purpose: its beat is no longer expected."""
        with self._lock:
            self._beats.pop(part, None)

    def silent(self) -> list[str]:
        """Parts whose last beat is too old."""
        at = time.monotonic()
        with self._lock:
            return [part for part, (last, allowed) in self._beats.items() if at - last > allowed]

    def beats(self) -> dict[str, float]:
        """Seconds since each part's last beat."""
        at = time.monotonic()
        with self._lock:
            return {part: round(at - last, 3) for part, (last, _) in self._beats.items()}

    def count(self, what: str, by: int = 1) -> None:
        """Add to a counter. Names are dotted: `reader.east-reader.checksum`."""
        with self._lock:
            self._counters[what] += by

    def counters(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counters)

    def note(self, what: str, value: Any) -> None:
        """Set a fact worth showing in `status` (JSON-able)."""
        with self._lock:
            self._facts[what] = value

    def facts(self) -> dict[str, Any]:
        with self._lock:
            return dict(self._facts)

    def on_device(self, listener: Callable[[DeviceState], None]) -> None:
        """Call `listener` after each change of a device's status, on the thread that reports it. It must not block."""
        self._listeners.append(listener)

    def device(self, name: str, kind: str, point: str | None, status: DeviceStatus, detail: str = "") -> None:
        """Report a device. Listeners hear of it only when the status changed."""
        with self._lock:
            before = self._devices.get(name)
            changed = before is None or before.status is not status
            since = now() if before is None or changed else before.since
            state = DeviceState(name, kind, point, status, since, detail)
            self._devices[name] = state
        if changed:
            for listener in self._listeners:
                listener(state)

    def devices(self) -> list[DeviceState]:
        with self._lock:
            return list(self._devices.values())
