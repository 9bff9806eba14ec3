"""What a connection tells its owner, and the will it leaves with the broker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.text import Text

TRANSIENT = {0x80, 0x83, 0x91, 0x97}  # of a PUBACK: the broker is busy or full, the message is not at fault


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker accepted us. It takes at most `window` unacknowledged messages of at most `max_bytes` each."""

    window: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no connection, or no longer. `hint` may say what to do."""

    reason: str | Text
    hint: str | Text = ""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker answered one message. `code` below 0x80 means that it has it."""

    number: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message from the platform."""

    topic: str
    payload: bytes
    retained: bool
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deaf:
    """The broker refuses a subscription: what is sent to us there does not come."""

    reason: str


News = Connected | Lost | Acknowledged | Message | Deaf


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we vanish; retained, QoS 1."""

    topic: str
    payload: bytes
