"""Card readers on pseudo-terminals: every card has a number of its own, so that each event can be told from all others.

Beside the rush, a resident comes to a door with a relay once a second, and it is measured how long the door takes.
"""

from __future__ import annotations

import os
import select
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import suppress

from gateway.credentials import Credential, Format
from gateway.keys import Keys
from tests.house import KNOWN, SerialLine

ON = bytes.fromhex("A00101A2")  # what an LCUS-1 relay is told when the door shall open
_DOOR_WITHIN_S = 5.0


class _Source(ABC):
    """A thread that presents cards, from `start` to `stop`; while `resting` is set it presents none."""

    def __init__(self, name: str) -> None:
        self._stop = threading.Event()
        self.resting = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    @abstractmethod
    def _run(self) -> None: ...


class Rush(_Source):
    """Unknown cards at `rate` a second, alternating between the lines. A full line makes the next card wait."""

    def __init__(self, lines: list[SerialLine], rate: float) -> None:
        super().__init__("rush")
        self._lines = lines
        for line in lines:
            os.set_blocking(line.master, False)
        self._rate = rate
        self.presented: list[bytes] = []

    def _run(self) -> None:
        due = time.monotonic()
        number = 0
        while not self._stop.is_set():
            if self.resting.is_set():
                self._stop.wait(0.05)
                continue
            number += 1
            card = b"\xc0" + number.to_bytes(4)
            line = self._lines[number % len(self._lines)]
            if self._present(line, card):
                self.presented.append(card)
            due = max(due + 1 / self._rate, time.monotonic() - 1.0)  # what was late is caught up for a second at most
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _present(self, line: SerialLine, card: bytes) -> bool:
        """Write the whole frame, however long nobody reads; False if the rush ended first."""
        frame = line.frame(card)
        while frame and not self._stop.is_set():
            try:
                frame = frame[os.write(line.master, frame) :]
            except BlockingIOError:
                self._stop.wait(0.05)
        return not frame


class Door(_Source):
    """A resident at a door with a relay: one card, then the wait for the order to the relay."""

    def __init__(self) -> None:
        super().__init__("door")
        self.reader, self.relay = SerialLine(), SerialLine()
        os.set_blocking(self.relay.master, False)
        os.set_blocking(self.reader.master, False)
        self.presented = 0
        self.waits: list[float] = []  # seconds; a door that stayed shut counts with the longest wait

    def close(self) -> None:
        self.reader.close()
        self.relay.close()

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            self._read_orders()
            if self.resting.is_set():
                continue
            with suppress(BlockingIOError):  # nobody reads
                self.reader.present(KNOWN)
                self.presented += 1
                self.waits.append(self._wait_for_order())

    def _wait_for_order(self) -> float:
        began = time.monotonic()
        said = b""
        while (past := time.monotonic() - began) < _DOOR_WITHIN_S and not self._stop.is_set():
            if select.select([self.relay.master], [], [], 0.1)[0]:
                said += self._read_orders()
            if ON in said:
                return time.monotonic() - began
        return past

    def _read_orders(self) -> bytes:
        try:
            return os.read(self.relay.master, 4096)
        except (BlockingIOError, OSError):
            return b""


def references(keys: Keys, rush: Rush, door: Door) -> Counter[str]:
    """How often each card was presented, under the names that events give to cards."""
    presented = Counter({keys.credential_ref(Credential(Format.EM4100, card)): 1 for card in rush.presented})
    if door.presented:
        presented[keys.credential_ref(Credential(Format.EM4100, KNOWN))] = door.presented
    return presented
