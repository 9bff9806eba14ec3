"""An event written down: checked by the privacy guard, every value already as the file will hold it.

Rule: only entries reach the file, and nothing of an entry can change any more after it was checked. So the guard looks
at each event once on its way in, and on the thread that brings it: the one writer only numbers and inserts.
"""

from __future__ import annotations

from typing import Any

from gateway import fastjson
from gateway.errors import Rejected
from gateway.journal import schema
from gateway.journal.values import PLACES, microseconds
from gateway.privacy import refuse_face_data, refuse_face_text
from gateway.types import Event

# Made by `write_down` alone: the columns from `id` to `data`, in the order of `schema.EVENT_COLUMNS`.
Entry = tuple[Any, ...]
_COLUMNS = schema.EVENT_COLUMNS.split(", ")[1:-2]
ID, CLASS, ORIGIN = map(_COLUMNS.index, ("id", "class", "origin"))


def write_down(event: Event, boot: str) -> Entry:
    """`boot`: when its uptime began. Raises `Rejected`: by the privacy guard, or because it belongs to no class."""
    name, subject, passage, origin = event.name, event.subject, event.passage, event.origin
    refuse_face_data(event.data)
    refuse_face_text("subject", subject)
    if passage is not None:
        refuse_face_text("passage", passage)
    if origin is not None:
        refuse_face_text("origin", origin)
    kind = name.partition(".")[0]
    if kind not in PLACES:
        raise Rejected(f"{name!r} belongs to no class of events")
    stamp, data = event.stamp, fastjson.write(event.data).decode()
    time_us, uptime_ms = microseconds(stamp.time), int(stamp.mono * 1000)
    return event.id, kind, name, subject, time_us, stamp.trust.value, uptime_ms, boot, passage, origin, data
