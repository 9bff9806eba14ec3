"""What the platform asks for, on its way to the downlink, and what goes back.

Rule: the uplink's thread only carries, it never judges an order. An answer waits here, not in the connection, so that a
reply whose connection broke goes out on the next one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.mqtt import Message

_MOST = 256  # answers waiting; beyond that the oldest goes, and whoever asked may ask again


@dataclass(frozen=True, slots=True)
class Reply:
    """A message to the platform: not retained, QoS 1. `correlation` is MQTT 5's, given back as it came."""

    topic: str
    payload: bytes
    correlation: bytes | None = None
    tries: int = 1  # connections on which it was sent, this one included


@dataclass(frozen=True, slots=True)
class Resend:
    """Send the events after one sequence and up to another once more, with `replay: true`."""

    after: int
    upto: int


@dataclass(frozen=True, slots=True)
class Retry:
    """Try the dead letters now."""


class Outbox:
    """What waits to be sent on one uplink's connection. Any thread puts; the uplink's thread takes."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: deque[Reply | Resend | Retry] = deque()

    def put(self, item: Reply | Resend | Retry) -> bool:
        """Leave something; False if an older one had to go for it."""
        with self._lock:
            fits = len(self._waiting) < _MOST
            if not fits:
                self._waiting.popleft()
            self._waiting.append(item)
        self._wake()
        return fits

    def take(self) -> Reply | Resend | Retry | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None


@dataclass(frozen=True, slots=True)
class Order:
    """A message below `cmd/` or `roster/`, and where its answer goes. `root` is the gateway's own tree of topics."""

    uplink: str
    root: str
    message: Message
    outbox: Outbox
    arrived: float = field(default_factory=time.monotonic)

    @property
    def leaf(self) -> str:
        """The topic below the gateway's own tree, e.g. `cmd/17` or `roster/holders/set`."""
        return self.message.topic.removeprefix(f"{self.root}/")

    def answer(self, leaf: str, payload: bytes) -> bool:
        """Answer under `leaf`, or where the sender wants it (MQTT 5), with the sender's correlation data."""
        given: dict[str, Any] = dict(self.message.properties)
        wanted = given.get("ResponseTopic")
        topic = wanted if isinstance(wanted, str) and self._may_answer_at(wanted) else f"{self.root}/{leaf}"
        return self.outbox.put(Reply(topic, payload, given.get("CorrelationData")))

    def _may_answer_at(self, topic: str) -> bool:
        """Any plain topic, but none that would read as a gateway's own words or as an order to one."""
        if not 0 < len(topic) <= 512 or topic.startswith("$") or any(mark in topic for mark in "#+\0"):
            return False
        trunk = self.root.rsplit("/", 2)[0]  # without compound and gateway: the tree of all gateways
        below = topic.removeprefix(f"{trunk}/").split("/") if topic.startswith(f"{trunk}/") else []
        return len(below) < 3 or below[2] not in _OWN_LEAVES


_OWN_LEAVES = {"event", "status", "device", "health", "catalog", "ack", "cmd", "roster"}
