"""What stands at the broker to be read at any time: status, catalog and devices; and the health, which does not stand.

Rule: it knows what this connection has been told, and says again only what has changed since.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from gateway.board import DeviceState
from gateway.uplink.surroundings import Surroundings, to_json

_STATUS_EVERY = 600.0
_CATALOG_EVERY = 1.0  # how soon a reload shows

Notice = tuple[str, bytes]  # topic, body


class Notices:
    """Owned by one conversation."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._waiting: deque[Notice] = deque()  # to be retained
        self._status = around.status("online")
        self._status_due = 0.0
        self._begins_after = 0
        self._catalog: Mapping[str, Any] = {}
        self._catalog_due = 0.0
        self._devices: dict[str, DeviceState] = {}
        self._health: object = None

    def __len__(self) -> int:
        return len(self._waiting)

    def greet(self, begins_after: int) -> None:
        """The broker has accepted us."""
        self._status = self._around.status("online")
        self._begins_after = begins_after

    def look(self) -> None:
        """Find what has changed."""
        if time.monotonic() >= self._status_due:
            self._status_due = time.monotonic() + _STATUS_EVERY
            status = json.loads(self._status)  # `since` stays that of this connection
            self._say("status", to_json({**status, "last_seq": self._around.journal.last_seq}))
        changed = [device for device in self._around.board.devices() if self._is_news(device)]
        if changed or time.monotonic() >= self._catalog_due:  # no device speaks that the catalog does not name
            self._catalog_due = time.monotonic() + _CATALOG_EVERY
            self._look_at_catalog()
        for device in changed:
            self._devices[device.name] = device
            self._say(f"device/{device.name}", self._around.device(device))

    def part(self) -> None:
        """This is a stop and no failure; nothing else is worth saying any more."""
        self._waiting.clear()
        self._say("status", self._around.status("stopped"))

    def take(self) -> Notice | None:
        """The next to be retained."""
        return self._waiting.popleft() if self._waiting else None

    def sample(self) -> Notice | None:
        """A health that was not told yet."""
        health = self._around.board.facts().get("health")
        if health is None or health is self._health:
            return None
        self._health = health
        return f"{self._around.topic}/health", self._around.health(health)

    def _is_news(self, device: DeviceState) -> bool:
        known = self._devices.get(device.name)
        return known is None or (known.status, known.since) != (device.status, device.since)

    def _look_at_catalog(self) -> None:
        catalog = self._around.catalog()
        if catalog != self._catalog:
            self._catalog = catalog
            self._say("catalog", self._around.catalogue(catalog, self._begins_after))

    def _say(self, leaf: str, payload: bytes) -> None:
        self._waiting.append((f"{self._around.topic}/{leaf}", payload))
