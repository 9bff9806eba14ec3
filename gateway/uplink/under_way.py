"""What was sent on one connection and has no answer yet, by its number.

Rule: what counts is silence, not age: with a slow broker and a full window each message waits for all before it. But
brokers answer in the order of sending, so that a message which was overtaken was forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from gateway.uplink.lanes import Parcel
from gateway.uplink.orders import Reply

Carried = Parcel | Reply | str  # an event, a reply, the topic of a notice


class UnderWay:
    """Numbers and what goes under them, in the order of sending."""

    def __init__(self) -> None:
        self._carried: dict[int, Carried] = {}
        self._heard = time.monotonic()
        self._first: int | None = None  # the oldest at the last answer
        self._overtaken: float | None = None  # when something that was sent after it was answered

    def __len__(self) -> int:
        return len(self._carried)

    def __contains__(self, number: int) -> bool:
        return number in self._carried

    def __iter__(self) -> Iterator[Carried]:
        return iter(self._carried.values())

    def add(self, number: int, carried: Carried) -> None:
        if not self._carried:
            self._heard = time.monotonic()
        self._carried[number] = carried

    def answer(self, number: int) -> Carried | None:
        """What was sent under the number; None where nothing was, or it was answered before."""
        self._heard = time.monotonic()
        carried = self._carried.pop(number, None)
        first = next(iter(self._carried), None)
        if first is None or first != self._first:
            self._first, self._overtaken = first, None
        elif self._overtaken is None:
            self._overtaken = self._heard
        return carried

    @property
    def silence(self) -> float:
        """For how many seconds nothing was answered, or the oldest was not though others were."""
        if not self._carried:
            return 0.0
        return time.monotonic() - (self._heard if self._overtaken is None else self._overtaken)
