"""Whether an order may be carried out at all: promise 5 of the contract, as pure functions.

Rule: nothing is allowed that the operator did not name, and nothing while nobody can say what time it is.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from gateway.clock import ClockTrust
from gateway.downlink.answers import Code, Refusal
from gateway.text import Text
from gateway.types import CommandName

DOORS = frozenset({CommandName.DOOR_OPEN, CommandName.BARRIER_OPEN})
_DOOR_AHEAD = timedelta(seconds=30)
_AHEAD = timedelta(hours=1)  # requests are remembered until they expire, so that has an end


def refuse_unless_allowed(name: CommandName, allow: Collection[CommandName]) -> None:
    """Raises `Refusal`."""
    if name not in allow:
        words = Text(
            "此网关不允许 {name}（[commands] allow）", "{name} is not allowed on this gateway ([commands] allow)"
        )
        raise Refusal(Code.NOT_ALLOWED, words.with_(name=name.value))


def refuse_unless_synced(trust: ClockTrust) -> None:
    """Raises `Refusal`: an order that expires needs a clock that is right."""
    if trust is not ClockTrust.SYNCED:
        words = Text(
            "网关时钟未校准，不执行任何指令", "the gateway's clock is not synchronised; no order is carried out"
        )
        raise Refusal(Code.CLOCK_UNSYNCED, words)


def refuse_unless_timely(name: CommandName, expires_at: datetime, at: datetime) -> None:
    """Raises `Refusal` after the expiry, and long before it."""
    if expires_at <= at:
        raise Refusal(Code.EXPIRED, Text("指令已过期", "the command has expired"))
    most = _DOOR_AHEAD if name in DOORS else _AHEAD
    if expires_at - at > most:
        words = Text("expires_at 最多晚 {seconds} 秒", "expires_at may be at most {seconds} s ahead")
        raise Refusal(Code.EXPIRES_TOO_LATE, words.with_(seconds=int(most.total_seconds())))
