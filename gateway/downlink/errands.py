"""Changes of the roster that a platform orders, one after the other, each in a process of its own.

Rule: the door process neither parses a platform's roster nor loads what writes it; doors open meanwhile.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from gateway.board import Board
from gateway.downlink.answers import Answer, Code
from gateway.errors import GatewayError
from gateway.text import Text

log = logging.getLogger(__name__)

_WAITING = 8
_MOST_S = 120.0  # for a whole roster on a slow card
_COMMAND = (sys.executable, "-m", "gateway.roster.errand")
_BROKEN = Answer(
    Code.STORE_FAILED, Text("名册未能更改，详见网关运行日志", "the roster was not changed; see the gateway's log")
)


@dataclass(frozen=True, slots=True)
class Errand:
    """`head` says what to do, `body` is the platform's message; `first` is done before, in this process."""

    head: Mapping[str, Any]
    body: bytes
    done: Callable[[Answer], None]  # called on the thread of the errands
    first: Callable[[], Mapping[str, Any]] = dict


class Errands:
    """`run` is one thread's work."""

    def __init__(self, board: Board, *, command: tuple[str, ...] = _COMMAND) -> None:
        self._board = board
        self._command = command
        self._queue: queue.Queue[Errand] = queue.Queue(_WAITING)

    def submit(self, errand: Errand) -> bool:
        """Take an errand; False where too many wait."""
        try:
            self._queue.put_nowait(errand)
        except queue.Full:
            return False
        return True

    def run(self, stop: threading.Event) -> None:
        """Run errands until `stop`; what is under way or waits then is given up, and its roster stays as it was."""
        while not stop.is_set():
            self._board.beat("errands")
            try:
                errand = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            errand.done(self._perform(errand, stop))
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait().done(_BROKEN)
        self._board.retire("errands")

    def _perform(self, errand: Errand, stop: threading.Event) -> Answer:
        try:
            before = errand.first()
        except GatewayError as error:
            log.error("an order of the platform failed: %s", error)
            return _BROKEN
        said = self._ask(json.dumps(dict(errand.head)).encode() + b"\n" + errand.body, stop)
        answer = _read(said) if said else _BROKEN
        if answer.code is Code.UNKNOWN_HOLDER and any(before.values()):
            answer = Answer(Code.DONE)  # what was done before was all there was to do
        return Answer(answer.code, answer.words, {**answer.result, **before}, {**answer.facts, **before})

    def _ask(self, message: bytes, stop: threading.Event) -> bytes:
        """Let the child do it; empty where it did not answer."""
        deadline = time.monotonic() + _MOST_S
        try:
            with _in_memory(message) as given:
                child = subprocess.Popen(self._command, stdin=given, stdout=subprocess.PIPE)
        except OSError as error:
            log.error("the roster's process cannot be started: %s", error)
            return b""
        with child:
            while time.monotonic() < deadline and not stop.is_set():
                self._board.beat("errands")
                try:
                    said, _ = child.communicate(timeout=0.2)
                except subprocess.TimeoutExpired:
                    continue
                if child.returncode:
                    log.error("the roster's process ended with %d", child.returncode)
                    return b""
                return said
            child.kill()
            log.error("the roster's process was given up")
        return b""


@contextmanager
def _in_memory(message: bytes) -> Iterator[int]:
    """A file that never touches the disk, read from its start: card numbers are in it."""
    file = os.memfd_create("errand")
    try:
        with open(file, "wb", closefd=False) as writer:
            writer.write(message)
        os.lseek(file, 0, os.SEEK_SET)
        yield file
    finally:
        os.close(file)


def _read(said: bytes) -> Answer:
    """The child is ours, so its answer has the shape of `gateway.roster.errand`."""
    found = json.loads(said)
    words = Text("{it}", "{en}").with_(it=found["message"]["zh"], en=found["message"]["en"])
    result = dict(found.get("result", {}))
    result |= {key: found[key] for key in ("version", "faults") if key in found}
    holder = result.pop("holder", None)  # for the audit: not every platform may see who it is
    return Answer(Code(found["code"]), words, result, {"holder": {"ref": holder}} if holder else {})
