"""Every kind of message: its model, and how it goes over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Literal

from pydantic import ValidationError, create_model

from gateway.cloudevent import message_schemas
from gateway.downlink.calls import ARGUMENTS, Call
from gateway.messages import DATA, Catalog, DeviceState, Health, Reply, RosterAck, Status, Watermark
from gateway.roster.errand import RosterSet
from gateway.types import CommandName, EventClass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message. `leaf` is its topic below the gateway's own tree."""

    name: str
    leaf: str
    model: Any
    summary: str
    goes_up: bool = True
    qos: int = 1
    retained: bool = False
    answer: str = ""  # the kind that answers it

    @property
    def urn(self) -> str:
        return message_schemas()[self.name]


STANDING = (
    Kind("status", "status", Status, "Whether the gateway is there; also its last will.", retained=True),
    Kind("device-state", "device/{device}", DeviceState, "One reader, camera or actuator.", retained=True),
    Kind("catalog", "catalog", Catalog, "What the box has, and what this platform gets of it.", retained=True),
    Kind("health", "health", Health, "How the box is doing, every minute.", qos=0),
)


def _command(name: CommandName) -> Any:
    """One command with its own arguments, as `gateway.downlink.calls` reads them."""
    arguments = ARGUMENTS[name]
    try:
        default: Any = arguments()
    except ValidationError:  # needs some
        default = ...
    literal: Any = Literal
    return create_model(
        "".join(part.title() for part in name.value.split(".")),
        __base__=Call,
        command=(literal[name.value], ...),
        args=(arguments, default),
    )


COMMAND = reduce(or_, [_command(name) for name in CommandName])
ORDERS = (
    Kind("ack", "ack", Watermark, "The platform's watermark (only with `ack_required`).", goes_up=False),
    Kind("cmd", "cmd/{request_id}", COMMAND, "A command.", goes_up=False, answer="reply"),
    Kind("reply", "reply/{request_id}", Reply, "The outcome of a command."),
    Kind("roster-set", "roster/{dataset}/set", RosterSet, "A roster, or a change.", goes_up=False, answer="roster-ack"),
    Kind("roster-ack", "roster/{dataset}/ack", RosterAck, "The outcome of a roster, or of a change."),
)
MESSAGES = (*STANDING, *ORDERS)


def events_of(kind: EventClass) -> Mapping[str, Any]:
    """The events of a class, by name, each with the model of its data."""
    return {name: model for name, model in DATA.items() if name.partition(".")[0] == kind}


def event_type(name: str) -> str:
    return f"compound.{name}.v1"
