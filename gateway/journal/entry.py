"""An event written down: checked by the privacy guard, every value already as the file will hold it.

Rule: only entries reach the file, and nothing of an entry can change any more after it was checked. So the guard looks
at each event once on its way in, and on the thread that brings it: the one writer only numbers and inserts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway import fastjson
from gateway.errors import Rejected
from gateway.journal.values import microseconds
from gateway.privacy import refuse_face_data, refuse_face_text
from gateway.types import Event


class Entry(NamedTuple):
    """Made by `write_down` alone. `identity` is kept once only: the source picture, where there is one, or the id."""

    event: Event
    event_class: str
    identity: str
    columns: tuple[Any, ...]  # from `id` to `data`, in the order of `schema.EVENT_COLUMNS`


def write_down(event: Event, boot: str) -> Entry:
    """`boot`: when its uptime began. Raises `Rejected`: by the privacy guard, or because it belongs to no class."""
    name, subject, passage, origin = event.name, event.subject, event.passage, event.origin
    refuse_face_data(event.data)
    refuse_face_text("subject", subject)
    if passage is not None:
        refuse_face_text("passage", passage)
    if origin is not None:
        refuse_face_text("origin", origin)
    try:
        kind = event.event_class.value
    except ValueError as error:
        raise Rejected(f"{name!r} belongs to no class of events") from error
    stamp, data = event.stamp, fastjson.write(event.data).decode()
    when = microseconds(stamp.time), stamp.trust.value, int(stamp.mono * 1000)
    return Entry(event, kind, origin or event.id, (event.id, kind, name, subject, *when, boot, passage, origin, data))
