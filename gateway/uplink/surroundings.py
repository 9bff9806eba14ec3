"""What every conversation of an uplink has in common.

Rule: nothing here changes while the uplink lives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from gateway.board import Board
from gateway.clock import now
from gateway.cloudevent import Identity, local_time
from gateway.journal import Journal
from gateway.keys import Keys
from gateway.messages import Status
from gateway.settings import Uplink as Options
from gateway.uplink.orders import Order, Outbox


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an uplink needs of the house, the same for every connection."""

    name: str
    options: Options
    identity: Identity
    journal: Journal
    board: Board
    keys: Keys
    zone: ZoneInfo
    catalog: Callable[[], Mapping[str, Any]]
    outbox: Outbox
    obey: Callable[[Order], None] | None = None  # hands an order to the downlink; never blocks

    @property
    def topic(self) -> str:
        return f"{self.options.topic_prefix}/{self.identity.compound_id}/{self.identity.gateway_id}"

    def status(self, word: Literal["online", "offline", "stopped"]) -> bytes:
        """The body of the `status` message."""
        body: Status = {
            "status": word,
            "since": local_time(now().time, self.zone),
            "boot_id": self.identity.boot_id,
            "last_seq": self.journal.last_seq,
            "version": self.identity.version,
        }
        return to_json(body)


def to_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
