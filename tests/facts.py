"""Events for tests of journal, recorder and uplink."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.clock import ClockTrust, Stamp
from gateway.types import Event

BOOT = "5f0c1e2a-0000-4000-8000-000000000001"
NOON = datetime(2026, 11, 22, 4, 0, 0, 123_456, tzinfo=UTC)


def stamp(ago_s: float = 0.0, trust: ClockTrust = ClockTrust.SYNCED) -> Stamp:
    return Stamp(NOON - timedelta(seconds=ago_s), 5000.0 - ago_s, trust)


def event(number: int = 0, name: str = "access.granted", **more: Any) -> Event:
    data = {"point": "east-door", "number": number, **more.pop("data", {})}
    return Event(name, more.pop("subject", "east-door"), more.pop("stamp", stamp()), data, **more)
