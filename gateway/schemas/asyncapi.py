"""Topics, directions, QoS and messages in one AsyncAPI 3 document, as the gateway sees it: it sends events."""

from __future__ import annotations

import re
from typing import Any

from gateway.cloudevent import CONTENT_TYPE
from gateway.messages import MESSAGE_VERSION, Envelope
from gateway.schemas.json_schema import Schema, choices, schema_of
from gateway.schemas.kinds import MESSAGES, Kind, events_of
from gateway.types import EventClass

_ROOT = "{topic_prefix}/{compound_id}/{gateway_id}"
_PARTS = {
    "topic_prefix": ("Of the uplink; it may have several levels.", "compound/v1"),
    "compound_id": ("The compound's code.", "fenglinwan"),
    "gateway_id": ("The gateway's id within the compound.", "box-1"),
    "device": ("The name of a reader, camera or actuator.", "east-reader"),
    "request_id": ("Of the command: 1 to 64 letters, digits or . _ : -", "7f3a"),
    "dataset": ("There is one: holders.", "holders"),
}
_REF = "#/components/schemas/{model}"


def asyncapi() -> dict[str, Any]:
    """The document."""
    schemas: dict[str, Schema] = {}
    messages = {f"event-{kind.value}": _event(kind, schemas) for kind in EventClass}
    messages |= {kind.name: _message(kind, schemas) for kind in MESSAGES}
    channels = {f"event-{kind.value}": _channel(f"event-{kind.value}", f"event/{kind.value}") for kind in EventClass}
    channels |= {kind.name: _channel(kind.name, kind.leaf) for kind in MESSAGES}
    operations = {f"send-event-{kind.value}": _operation(f"event-{kind.value}") for kind in EventClass}
    operations |= {f"{'send' if kind.goes_up else 'receive'}-{kind.name}": _operation_of(kind) for kind in MESSAGES}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "compound-gateway",
            "version": f"{MESSAGE_VERSION}.0.0",
            "description": "What a gateway of a residential compound sends over MQTT, and what it takes. "
            "Seen from the gateway. docs/platform.md says how to use it.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }


def _channel(name: str, leaf: str) -> dict[str, Any]:
    address = f"{_ROOT}/{leaf}"
    parameters = {part: _PARTS[part] for part in re.findall(r"\{(\w+)\}", address)}
    return {
        "address": address,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "parameters": {
            part: {"description": said, "examples": [example]} for part, (said, example) in parameters.items()
        },
    }


def _operation(channel: str, *, action: str = "send", qos: int = 1, retain: bool = False) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{channel}"}],
        "bindings": {"mqtt": {"qos": qos, "retain": retain, "bindingVersion": "0.2.0"}},
    }


def _operation_of(kind: Kind) -> dict[str, Any]:
    found = _operation(kind.name, action="send" if kind.goes_up else "receive", qos=kind.qos, retain=kind.retained)
    if kind.answer:  # or where an MQTT 5 request asks for it, by its response topic
        found["reply"] = {
            "channel": {"$ref": f"#/channels/{kind.answer}"},
            "messages": [{"$ref": f"#/channels/{kind.answer}/messages/{kind.answer}"}],
        }
    return found


def _event(kind: EventClass, schemas: dict[str, Schema]) -> dict[str, Any]:
    envelope = _put(schemas, "Envelope", schema_of(Envelope, _REF))
    refs = {name: _put(schemas, f"event.{name}", schema_of(model, _REF)) for name, model in events_of(kind).items()}
    return {
        "name": f"event-{kind.value}",
        "title": f"events of the class {kind.value}",
        "contentType": CONTENT_TYPE,
        "payload": {"allOf": [envelope, *choices(refs)]},
    }


def _message(kind: Kind, schemas: dict[str, Schema]) -> dict[str, Any]:
    payload = _put(schemas, kind.name, schema_of(kind.model, _REF, is_ours=kind.goes_up))
    return {"name": kind.name, "title": kind.leaf, "summary": kind.summary, "payload": payload}


def _put(schemas: dict[str, Schema], name: str, schema: Schema) -> Schema:
    """Add a schema and what it refers to; return the reference."""
    schemas |= schema.pop("$defs", {})
    schemas[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}
