"""An event written down: checked by the privacy guard, its data already the text that the file will hold.

Rule: only entries reach the file, and the text of an entry cannot change any more after it was checked. So the guard
looks at each event once on its way in, and on the thread that brings it: the one writer only numbers and inserts.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway import fastjson
from gateway.errors import Rejected
from gateway.privacy import refuse_face_data, refuse_face_text
from gateway.types import Event


class Entry(NamedTuple):
    """Made by `write_down` alone. `identity` is kept once only: the source picture, where there is one, or the id."""

    event: Event
    event_class: str
    identity: str
    data: str  # JSON


def write_down(event: Event) -> Entry:
    """Raises `Rejected`: by the privacy guard, or because the event belongs to no class."""
    refuse_face_data(event.data)
    refuse_face_text("subject", event.subject)
    if event.passage is not None:
        refuse_face_text("passage", event.passage)
    if event.origin is not None:
        refuse_face_text("origin", event.origin)
    try:
        event_class = event.event_class.value
    except ValueError as error:
        raise Rejected(f"{event.name!r} belongs to no class of events") from error
    return Entry(event, event_class, event.origin or event.id, fastjson.write(event.data).decode())
