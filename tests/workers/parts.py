"""Workers on threads of their own, over real ttys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drivers.actuators import lcus1
from drivers.readers import rdm6300
from gateway.board import Board
from gateway.settings import Reader as ReaderSettings
from gateway.types import CardRead, DeviceStatus
from gateway.worker import ActuatorWorker, DeviceWorker, ReaderWorker
from tests.running import running as on_threads
from tests.standstill import awake

CARD = b"\x0262E3086CED08\x03"
OTHER = b"\x0267003BA86C98\x03"
ON, OFF = bytes.fromhex("a00101a2"), bytes.fromhex("a00100a1")
SETTINGS = ReaderSettings(driver="rdm6300", point="east-door", hold_s=0.4)


@contextmanager
def running(worker: DeviceWorker) -> Iterator[None]:
    """The worker on a thread of its own; at the end it must stop within a second."""
    with on_threads(worker):
        yield
        asked = awake()
    assert awake() - asked < 1.0, "stopping took too long"


def status(board: Board) -> DeviceStatus | None:
    return next((device.status for device in board.devices()), None)


def online(board: Board) -> Callable[[], bool]:
    return lambda: status(board) is DeviceStatus.ONLINE


def reader_on(path: object, seen: list[CardRead], board: Board) -> ReaderWorker:
    options = rdm6300.Options(port=str(path))
    return ReaderWorker("east-reader", SETTINGS, lambda: rdm6300.connect(options), seen.append, board)


def relay_on(path: object, board: Board) -> ActuatorWorker:
    options = lcus1.Options(port=str(path))
    return ActuatorWorker("east-relay", "east-door", lambda: lcus1.connect(options), board)


# ── readers ───────────────────────────────────────────────────────────────────────────────────────────────
