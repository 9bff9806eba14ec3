"""What every conversation of an uplink has in common.

Rule: nothing here changes while the uplink lives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from gateway.board import Board, DeviceState
from gateway.clock import now
from gateway.cloudevent import Identity, data_catalogue, local_time, message_schemas
from gateway.journal import Journal
from gateway.keys import Keys
from gateway.messages import DeviceState as Device
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

    def device(self, state: DeviceState) -> bytes:
        """The body of a `device/{name}` message."""
        since = local_time(state.since.time, self.zone)
        body: Device = {"status": state.status, "since": since, "kind": state.kind, "point": state.point}
        return to_json(body)

    def health(self, sample: Mapping[str, Any]) -> bytes:
        """The body of a `health` message. How other platforms fare is not this one's to know."""
        mine = (sample.get("uplinks") or {}).get(self.name) or {}
        return to_json({**{key: value for key, value in sample.items() if key != "uplinks"}, **mine})

    def catalogue(self, catalog: Mapping[str, Any], begins_after: int) -> bytes:
        """The body of the `catalog` message: what the box has, and what this uplink gets of it."""
        data = data_catalogue(self.options.classes, self.options.fields)
        mine = {"data": data, "messages": message_schemas(), "begins_after": begins_after}
        return to_json({**catalog, **mine})


def to_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
