"""A recording played as if a reader sent it: for demonstrations and for bringing a fault home from a site.

A recording is a text file (ASCII), one line per piece of bytes as it came off the wire:

    # seconds since the start, then the bytes as hex; blank lines and lines that begin with # are skipped
    0.000 02 36 32 45
    0.004 33303836434544303803
    2.500 0236324533303836434544303803

The rule: the recorded times decide where silence was, not the pace of this machine. After its last line the reader
stays open and silent. A recording that cannot be read is a lost device, and none of it is played.
"""

from __future__ import annotations

import math
import time
from collections import deque
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from drivers.framed_reader import Results
from drivers.serial_port import SILENCE_S
from gateway.contracts import Framer
from gateway.errors import DeviceLost
from gateway.text import Text

_LARGEST = 4 << 20  # bytes of a recording
_WAIT_S = 0.5
_PLAYABLE = ("rdm6300", "em18", "stxlen", "wiegand", "line", "pn532", "yhy")


PLAYS_RECORDING = True  # a `path` that is not there is a mistake in the configuration


class Options(BaseModel):
    """`protocol` names the driver whose frames were recorded, `settings` what it takes beside `port` and `baud`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    protocol: str = "rdm6300"
    settings: dict[str, Any] = {}

    @model_validator(mode="after")
    def _playable(self) -> Self:
        _framer(self)  # raises ValueError, also for settings the protocol does not take
        return self


class ReplayReader:
    """A `gateway.contracts.Reader`. `score` is a recording with its silences, in the order of time."""

    def __init__(self, score: deque[tuple[float, bytes]], framer: Framer) -> None:
        self._score = score
        self._framer = framer
        self._start = time.monotonic()

    def read(self) -> Results:
        due = self._score[0][0] - (time.monotonic() - self._start) if self._score else math.inf
        if due > 0:
            time.sleep(min(due, _WAIT_S))
        if due > _WAIT_S:
            return []
        _, data = self._score.popleft()
        return list(self._framer.feed(data) if data else self._framer.silence())

    def close(self) -> None:
        self._score.clear()


def parse_line(line: str) -> tuple[float, bytes]:
    """`seconds hexbytes` → both. Raises `ValueError`."""
    seconds, _, data = line.strip().partition(" ")
    at, piece = float(seconds), bytes.fromhex(data)
    if not (0 <= at < math.inf and piece):
        raise ValueError("needs seconds since the start and at least one byte")
    return at, piece


def parse_recording(text: str) -> deque[tuple[float, bytes]]:
    """The pieces in the order of time, an empty one wherever the wire was silent. Raises `ValueError`."""
    score: deque[tuple[float, bytes]] = deque()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            at, data = parse_line(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        last = score[-1][0] if score else at
        if at < last:
            raise ValueError(f"line {number}: {at:g} s comes after {last:g} s")
        if at - last > SILENCE_S:
            score.append((last + SILENCE_S, b""))
        score.append((at, data))
    if score:
        score.append((score[-1][0] + SILENCE_S, b""))
    return score


def connect(options: Options) -> ReplayReader:
    """Read the whole recording. Raises `DeviceLost`."""
    try:
        if options.path.stat().st_size > _LARGEST:
            raise ValueError(f"more than {_LARGEST >> 20} MiB")
        score = parse_recording(options.path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise DeviceLost(
            Text("无法播放录制文件 {path}：{error}", "cannot play {path}: {error}").with_(
                path=options.path, error=error
            ),
            hint=Text("每行应为：秒 十六进制字节", "each line is: seconds, then bytes as hex"),
        ) from error
    return ReplayReader(score, _framer(options))


def _framer(options: Options) -> Framer:
    """The framer of another reader driver, found as the registry finds it. Raises `ValueError`."""
    found = entry_points(group="compound_gateway.readers", name=options.protocol) if options.protocol else ()
    for entry in found:
        try:
            module = entry.load()
        except ImportError:
            continue  # an optional driver that is not installed
        if hasattr(module, "framer"):
            framer: Framer = module.framer(module.Options(port="loop://", **options.settings))
            return framer
    words = Text(
        "protocol “{given}”不可用；可用：{known}", "protocol '{given}' cannot be played; choose one of {known}"
    )
    raise ValueError(words.with_(given=options.protocol, known=", ".join(_PLAYABLE)))
