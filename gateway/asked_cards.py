"""The next card at one reader, for somebody at the box who asked: how a fob without a printed number is enrolled.

Rule: no card is noted unless somebody asks at that moment, and then one, of that reader, in memory alone, handed once
to who asked. It was judged and journalled as ever before, so the door waits for nothing of this. An asking ends with
its card, when who asked says so, or when they have not asked again for `LEASE_S`.

Nothing of it is audited: a new card is nobody's, who may ask may read the whole roster, and enrolling it is audited.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.board import Board
from gateway.credentials import Credential
from gateway.types import CardRead, DeviceStatus

LEASE_S = 5.0  # an answer may take its time on a busy box


class State(StrEnum):
    """What an answer says, as its `state`."""

    WAITING = "waiting"  # ask again
    READ = "read"  # with `format`, and `value` as hex
    TAKEN = "taken"  # somebody else asks at that reader
    OFFLINE = "offline"  # with `detail`: the reader is
    NO_READER = "no-reader"  # of that name has reported yet
    ENDED = "ended"


@dataclass(slots=True)
class _Asking:
    """`began` and `until` are monotonic seconds."""

    asker: str
    began: float
    until: float
    card: Credential | None = None


class AskedCards:
    """Stands between the readers and the doorkeeper. Thread-safe."""

    def __init__(self, submit: Callable[[CardRead], bool], board: Board) -> None:
        self._submit = submit
        self._board = board
        self._lock = threading.Lock()
        self._askings: dict[str, _Asking] = {}  # by reader: no more than there are on the board

    def observe(self, read: CardRead) -> bool:
        """Submit a read, then note its card where it is the first since somebody asked. What `submit` says."""
        submitted = self._submit(read)
        with self._lock:
            self._forget_lapsed()
            asking = self._askings.get(read.device)
            if asking is not None and asking.card is None and read.stamp.mono >= asking.began:
                asking.card = read.credential
        return submitted

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """To `{"reader": NAME, "asker": WHO}`, which is repeated while it is `waiting`; with `"end": true` it ends."""
        reader, asker = str(asked.get("reader")), str(asked.get("asker"))
        device = next((one for one in self._board.devices() if (one.kind, one.name) == ("reader", reader)), None)
        with self._lock:
            self._forget_lapsed()
            asking = self._askings.pop(reader, None)
            if asking is not None and asking.asker != asker:
                self._askings[reader] = asking
                return {"state": State.TAKEN}
            if asked.get("end"):
                return {"state": State.ENDED}
            if asking is not None and asking.card is not None:
                return {"state": State.READ, "format": asking.card.format, "value": asking.card.value.hex()}
            if device is None:
                return {"state": State.NO_READER}
            if device.status is DeviceStatus.OFFLINE:
                return {"state": State.OFFLINE, "detail": device.detail}
            at = time.monotonic()
            self._askings[reader] = _Asking(asker, asking.began if asking else at, at + LEASE_S)
            return {"state": State.WAITING}

    def _forget_lapsed(self) -> None:
        at = time.monotonic()
        self._askings = {reader: asking for reader, asking in self._askings.items() if asking.until > at}
