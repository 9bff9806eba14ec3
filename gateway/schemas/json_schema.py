"""One JSON Schema a file: the envelope, the data of each class of events, and each other message.

Rule: what goes up is open: a platform must take keys and event types that it does not know, because within a version
they are only added. What comes down is as strict as the gateway reads it.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, Literal

from pydantic import TypeAdapter

from gateway.cloudevent import data_schema, message_schemas
from gateway.messages import Envelope
from gateway.schemas.kinds import MESSAGES, Kind, event_type, events_of
from gateway.types import EventClass

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HERE = "#/$defs/{model}"


def json_schemas() -> dict[str, Schema]:
    """Every schema by the name of its file."""
    found = {kind.value: _data(kind) for kind in EventClass}
    found["event"] = _event()
    return found | {kind.name: _message(kind) for kind in MESSAGES}


def schema_of(model: Any, template: str = _HERE, *, is_ours: bool = True) -> Schema:
    """The schema of a model, with its `$defs`. What is ours is open."""
    mode: Literal["serialization", "validation"] = "serialization" if is_ours else "validation"
    found: Schema = _tidy(TypeAdapter(model).json_schema(mode=mode, ref_template=template), opened=is_ours)
    return found


def choices(refs: dict[str, Schema]) -> list[Schema]:
    """For the types that we know, what `data` is; any other type has any data."""
    return [
        {
            "if": {"properties": {"type": {"const": event_type(name)}}, "required": ["type"]},
            "then": {"properties": {"data": ref}},
        }
        for name, ref in refs.items()
    ]


def data_models(kind: EventClass) -> Any:
    """Everything that `data` may be in a class, as one type."""
    return reduce(or_, events_of(kind).values())


def _data(kind: EventClass) -> Schema:
    head = {"$schema": DIALECT, "$id": data_schema(kind), "title": f"data of event/{kind.value}"}
    return {**head, **schema_of(data_models(kind))}


def _event() -> Schema:
    """The whole message on `event/{class}`; its data by the schema of its type."""
    head = {"$schema": DIALECT, "$id": message_schemas()["event"], "title": "event/{class}"}
    body = schema_of(Envelope)
    definitions: Schema = body.pop("$defs", {})
    refs: dict[str, Schema] = {}
    for kind in EventClass:
        for name, model in events_of(kind).items():
            data = schema_of(model)
            definitions |= data.pop("$defs", {})
            definitions[name] = data
            refs[name] = {"$ref": f"#/$defs/{name}"}
    return {**head, **body, "allOf": choices(refs), "$defs": dict(sorted(definitions.items()))}


def _message(kind: Kind) -> Schema:
    head = {"$schema": DIALECT, "$id": kind.urn, "title": kind.leaf, "description": kind.summary}
    return {**head, **schema_of(kind.model, is_ours=kind.goes_up)}


def _tidy(schema: Any, *, opened: bool) -> Any:
    """Without titles made of the keys' own names; with `opened`, without "and no other key"."""
    if isinstance(schema, list):
        return [_tidy(part, opened=opened) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept: Schema = {}
    for key, value in schema.items():
        if (key == "title" and isinstance(value, str)) or (opened and key == "additionalProperties" and value is False):
            continue
        names = key in {"properties", "$defs"}
        kept[key] = (
            {name: _tidy(part, opened=opened) for name, part in value.items()} if names else _tidy(value, opened=opened)
        )
    return kept
