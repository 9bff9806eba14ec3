"""What was sent and what arrived: the demo's only judge, which trusts the subscriber and the journal alone."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.text import Text
from gateway.wording import short_name


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the closing table."""

    source: Text
    sent: int
    received: int
    duplicate: int

    @property
    def lost(self) -> int:
        return max(0, self.sent - self.received)

    @property
    def invented(self) -> int:
        return max(0, self.received - self.sent)


SOURCES = {
    "card": Text("刷卡（两台读卡器）", "cards (two readers)"),
    "car": Text("车辆（大门摄像机）", "cars (gate camera)"),
    "face": Text("人脸（门口摄像机）", "faces (door camera)"),
    "other": Text("设备和审计事件", "device and audit events"),
}


def source_of(name: str) -> str:
    """Which row of the table an event belongs to."""
    if name in {"access.granted", "access.denied"}:
        return "card"
    if name.startswith("vehicle."):
        return "car"
    return "face" if name == "access.recognised" else "other"


class Ledger:
    """Counts presentations as they are made and events as the subscriber's process prints them."""

    def __init__(self, show: Callable[[dict[str, Any], bool], None]) -> None:
        self._show = show
        self._lock = threading.Lock()
        self._sent: Counter[str] = Counter()
        self._received: dict[str, dict[str, Any]] = {}  # by event id
        self._duplicates: Counter[str] = Counter()
        self.subscribed = threading.Event()

    def present(self, source: str) -> None:
        """One more card, car or face that must become exactly one event."""
        self._sent[source] += 1

    def hear(self, line: str) -> None:
        """Take one line of the subscriber's process."""
        message = json.loads(line)
        if "subscribed" in message:
            self.subscribed.set()
            return
        if "/event/" not in message["topic"]:
            return
        event = json.loads(message["payload"])
        with self._lock:
            again = event["id"] in self._received
            if again:
                self._duplicates[source_of(short_name(event["type"]))] += 1
            self._received.setdefault(event["id"], event)
        self._show(event, again)

    def received(self, source: str) -> list[dict[str, Any]]:
        with self._lock:
            events = list(self._received.values())
        return [event for event in events if source_of(short_name(event["type"])) == source]

    def complete(self) -> bool:
        """Whether every presentation has arrived."""
        return all(len(self.received(source)) >= sent for source, sent in self._sent.items())

    def rows(self, journal: list[dict[str, Any]]) -> list[Row]:
        """The table. What nobody presented (device states, audits) is measured against the journal."""
        kept = Counter(source_of(short_name(event["type"])) for event in journal)
        self._sent["other"] = kept["other"]
        return [
            Row(title, self._sent[source], len(self.received(source)), self._duplicates[source])
            for source, title in SOURCES.items()
        ]

    def missing(self, journal: list[dict[str, Any]]) -> set[str]:
        """Ids that the journal accepted and the subscriber never saw."""
        with self._lock:
            return {event["id"] for event in journal} - set(self._received)

    def gaps(self) -> int:
        """Sequence numbers that never arrived between the first and the last."""
        with self._lock:
            sequences = {int(event["sequence"]) for event in self._received.values()}
        return max(sequences) - min(sequences) + 1 - len(sequences) if sequences else 0
