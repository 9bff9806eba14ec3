"""What the world sees of a row of the journal: CloudEvents 1.0 in structured JSON, after an uplink's field policy.

Rule: the policy applies to values wherever they lie in the data, and what is not clear is gone from every other string
too: a recognising camera writes the plate into its file names. A row encoded twice has the same id and sequence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from gateway import fastjson
from gateway.journal import Row
from gateway.keys import Keys
from gateway.messages import MESSAGE_VERSION, URN, DataEntry, Envelope
from gateway.plate_rules import PROVINCES, RULES, written
from gateway.privacy import refuse_face_data
from gateway.settings import Treatment
from gateway.types import EventClass

CONTENT_TYPE = "application/cloudevents+json"
SCHEMA_VERSION: Mapping[EventClass, int] = dict.fromkeys(EventClass, 1)

Field = Literal["plate_no", "holder", "room"]
Fields = Mapping[Field, Treatment]
DEFAULT_FIELDS: Fields = {"plate_no": "clear", "holder": "hash", "room": "clear"}

_PLATE_KEYS = {"plate_no", "raw", "candidate"}
_HOLDER_KEYS = ("ref", "kind", "category", "room")
_BETWEEN = "[·. -]?"
_BROADLY = (
    rf"[{PROVINCES}][A-Z]{_BETWEEN}[A-Z0-9]{{4,6}}[挂学警港澳领试超]?",
    rf"WJ{_BETWEEN}[\u4e00-\u9fff]?\d{{4}}[0-9A-Z]",
)
_BY_RULE = (written(form, _BETWEEN) for rule in RULES if rule.name != "military" for form in rule.forms)
_PLATE_LIKE = re.compile("|".join([*_BROADLY, *_BY_RULE]), re.IGNORECASE)
# Two letters and five digits may be anything elsewhere: the name of a device, a request id.
_MILITARY = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[·. -]?\d{5}(?![A-Z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks: where events come from and under which topics they go."""

    compound_id: str
    gateway_id: str
    boot_id: str
    version: str

    @property
    def source(self) -> str:
        return f"/{self.compound_id}/{self.gateway_id}"


def encode(row: Row, source: str, previous: int, replay: bool, fields: Fields, keys: Keys, zone: ZoneInfo) -> bytes:
    """Return the message body. `fields` overrides `DEFAULT_FIELDS`. Raises `Rejected` (privacy guard)."""
    refuse_face_data(row.data)
    envelope: Envelope = {
        "specversion": "1.0",
        "id": row.id,
        "source": source,
        "type": f"compound.{row.name}.v1",
        "subject": row.subject,
        "time": local_time(row.time, zone),
        "datacontenttype": "application/json",
        "dataschema": _SCHEMAS[row.event_class],
        "sequence": row.seq,
        "previous": previous,
        "clock": row.clock,
        "bootid": row.boot_id,
        "uptimems": row.uptime_ms,
        "replay": replay,
        "data": _treat(row.data, {**DEFAULT_FIELDS, **fields}, keys),
    }
    if row.passage is not None:
        envelope["passage"] = row.passage
    if row.chain is not None:
        envelope["chain"] = row.chain
    return fastjson.write(envelope)


def local_time(moment: datetime, zone: ZoneInfo) -> str:
    """ISO 8601 with milliseconds and the offset of the site."""
    return moment.astimezone(zone).isoformat(timespec="milliseconds")


def data_schema(event_class: EventClass) -> str:
    return f"{URN}:{event_class.value}:{SCHEMA_VERSION[event_class]}"


_SCHEMAS = {kind: data_schema(kind) for kind in EventClass}


def message_schemas() -> dict[str, str]:
    """The schema of each message that is no event, by what docs/asyncapi.json calls it."""
    names = ("event", "status", "device-state", "health", "catalog", "ack", "cmd", "reply", "roster-set", "roster-ack")
    return {name: f"{URN}:{name}:{MESSAGE_VERSION}" for name in names}


def data_catalogue(classes: Collection[EventClass], fields: Fields) -> list[DataEntry]:
    """What an uplink sends, class by class, for the `catalog` message."""
    return [
        {
            "class": kind,
            "topic": f"event/{kind.value}",
            "dataschema": data_schema(kind),
            "version": SCHEMA_VERSION[kind],
            "fields": {**DEFAULT_FIELDS, **fields},
        }
        for kind in EventClass
        if kind in classes
    ]


# ── field policy ──────────────────────────────────────────────────────────────────────────────────────────


def _treat(data: Mapping[str, Any], fields: Fields, keys: Keys) -> Any:
    if fields["plate_no"] != "clear":
        return _treat_value("data", data, fields, keys, _plates_in(data))
    return _treat_value("data", data, fields, keys, None if fields["room"] == "clear" else frozenset())


def _treat_value(key: str, value: Any, fields: Fields, keys: Keys, secrets: frozenset[str] | None) -> Any:
    """Return the value as this uplink may see it; None where it is dropped.

    `secrets` are the plates that no text may show, None where texts outside of `holder` go as they are.
    """
    if isinstance(value, str):
        return value if secrets is None else _treat_text(key, value, fields, keys, secrets)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (dict, Mapping)):  # dict first: the check of an abstract class is slow
        return _holder(value, fields, keys) if key == "holder" else _treat_map(value, fields, keys, secrets)
    return [_treat_value(key, part, fields, keys, secrets) for part in value]


def _treat_map(values: Mapping[str, Any], fields: Fields, keys: Keys, secrets: frozenset[str] | None) -> dict[str, Any]:
    """Without what is dropped. Every event passes here: what is common goes through without a call."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if value is None or isinstance(value, int) or (secrets is None and isinstance(value, str)):
            kept[name] = value
        elif (treated := _treat_value(name, value, fields, keys, secrets)) is not None:
            kept[name] = treated
    return kept


def _treat_text(key: str, text: str, fields: Fields, keys: Keys, secrets: frozenset[str]) -> str | None:
    if key == "room":
        return _room(text, fields["room"], keys)
    if key in _PLATE_KEYS:
        return _plate(text, fields["plate_no"], keys)
    if fields["plate_no"] == "clear":
        return text
    return _without_plates(text, secrets, is_file=key == "source_file")


def _plates_in(data: Mapping[str, Any]) -> frozenset[str]:
    found = {value for key, value in data.items() if key in _PLATE_KEYS and isinstance(value, str) and len(value) > 3}
    for value in data.values():
        if isinstance(value, Mapping):
            found |= _plates_in(value)
    return frozenset(found)


def _without_plates(text: str, secrets: frozenset[str], *, is_file: bool) -> str:
    """Also where it is written small, in percent codes, or (escaped GBK) without a readable province."""
    plain = unquote(text)
    cleaned = _PLATE_LIKE.sub("***", plain)
    if is_file:
        cleaned = _MILITARY.sub("***", cleaned)
    for part in sorted({*secrets, *(secret[1:] for secret in secrets)}, key=len, reverse=True):
        cleaned = re.sub(re.escape(part), "***", cleaned, flags=re.IGNORECASE)
    return text if cleaned == plain else cleaned


def _plate(plate: str, treatment: Treatment, keys: Keys) -> str | None:
    if treatment == "clear":
        return plate
    if treatment == "mask":
        return f"{plate[:2]}***{plate[-2:]}" if len(plate) > 5 else "***"
    return keys.plate_ref(plate) if treatment == "hash" else None


def _room(room: str, treatment: Treatment, keys: Keys) -> str | None:
    if treatment == "clear":
        return room
    if treatment == "mask":  # the building stays
        return f"{room.partition('-')[0]}-***" if "-" in room else "***"
    return keys.room_ref(room) if treatment == "hash" else None


def _holder(holder: Mapping[str, Any], fields: Fields, keys: Keys) -> dict[str, Any] | None:
    treatment = fields["holder"]
    if treatment == "drop":
        return None
    kept = dict(holder) if treatment == "clear" else {key: holder[key] for key in _HOLDER_KEYS if key in holder}
    if treatment == "mask":
        kept.pop("ref", None)
    if isinstance(kept.get("room"), str):
        kept["room"] = _room(kept["room"], fields["room"], keys)
        if kept["room"] is None:
            del kept["room"]
    return kept
