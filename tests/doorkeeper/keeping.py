"""A doorkeeper in a house of five points, and what devices tell it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.board import Board
from gateway.clock import Stamp, now
from gateway.credentials import parse_credential
from gateway.doorkeeper import Doorkeeper
from gateway.errors import DeviceLost
from gateway.inspection import Inspection
from gateway.keys import Keys
from gateway.passage import Passages
from gateway.register import Register
from gateway.settings import PlateReading, Point, Position
from gateway.types import (
    Box,
    CardRead,
    Direction,
    Event,
    FaceSeen,
    Holder,
    Observation,
    PictureDone,
    Plate,
    PlateSeen,
    PointKind,
    Shot,
)
from gateway.worker import ActuatorWorker
from tests.real import wait_until

ZONE = ZoneInfo("Asia/Shanghai")
CARD = parse_credential("em4100:62E3086CED")
OWNER = Holder("r-1", "h:0123456789abcdef", "张三", "resident", "owner", "3-1-0502", None)
GONE = Holder("r-2", "h:fedcba9876543210", "李四", "resident", "tenant", "3-1-0503", None, None, date(2020, 1, 1))
NEW = Holder("r-3", "h:00112233445566ff", "王五", "resident", "owner", "3-1-0504", None, date(2026, 1, 1))
POINTS = {
    "door": Point(name="东门", kind=PointKind.PEDESTRIAN, direction=Direction.IN, actuator="door-relay", open_s=0.2),
    "side": Point(name="侧门", kind=PointKind.PEDESTRIAN, direction=Direction.OUT, actuator="side-relay", open_s=0.2),
    "gate": Point(
        name="车行门",
        kind=PointKind.VEHICLE,
        direction=Direction.BOTH,
        actuator="gate-relay",
        open_s=0.2,
        position=Position(lon=114.8, lat=30.4),
    ),
    "bare": Point(name="无继电器", kind=PointKind.MIXED, direction=Direction.IN),
    "lodge": Point(
        name="门岗",
        kind=PointKind.MIXED,
        direction=Direction.IN,
        actuator="lodge-relay",
        open_s=0.2,
        check_unknown=True,
    ),
}
GUARD = Holder("s-1", "h:8899aabbccddeeff", "赵六", "staff", "guard", "", None)
REGISTER = Register(
    [OWNER, GONE, NEW, GUARD],
    [
        (CARD, "r-1"),
        (parse_credential("w26:1-2"), "r-2"),
        (parse_credential("w26:1-3"), "r-3"),
        (parse_credential("w26:1-4"), "s-1"),
    ],
    [("鄂J12345", "r-1"), ("鄂J54321", "r-2")],
    as_of=date(2026, 1, 1),
)


class Relay:
    """An actuator that notes when it was switched; `stuck` makes it hang as a dead serial line does."""

    def __init__(self) -> None:
        self.switched: list[tuple[bool, float]] = []
        self.stuck = threading.Event()
        self.gone = False

    def switch(self, on: bool) -> None:
        if self.gone:
            raise DeviceLost("unplugged")
        deadline = time.monotonic() + 2
        while on and self.stuck.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.switched.append((on, time.monotonic()))

    def close(self) -> None:
        return None

    @property
    def opened(self) -> int:
        return sum(on for on, _ in self.switched)


class House:
    """A doorkeeper with its relays, running; `events` and `settled` are what came out."""

    def __init__(self, folder: Path, plate: PlateReading) -> None:
        self.stop = threading.Event()
        self.board = Board()
        self.keys = Keys(folder)
        self.relays = {name: Relay() for name in ("door-relay", "side-relay", "gate-relay", "lodge-relay")}
        self.events: list[tuple[Event, float]] = []
        self.shots: list[Sequence[Shot]] = []
        self.kept: list[Callable[[], None]] = []
        self.settled: list[tuple[str, int]] = []
        workers = {name: ActuatorWorker(name, None, self._connect(name), self.board) for name in self.relays}
        self.inspection = Inspection(POINTS, ZONE, self._record, self.board)
        self.keeper = Doorkeeper(
            points=POINTS,
            register=lambda: REGISTER,
            actuators=workers,
            record=self.inspection.record,
            passages=Passages(),
            plate=plate,
            face_opens=lambda point: point == "side",
            keys=self.keys,
            zone=ZONE,
            board=self.board,
            settle=lambda device, token: self.settled.append((device, token)),
        )
        parts = [*workers.values(), self.keeper]
        self._threads = [threading.Thread(target=part.run, args=(self.stop,), daemon=True) for part in parts]
        for thread in self._threads:
            thread.start()
        wait_until(lambda: sum(state.status.value == "online" for state in self.board.devices()) == len(self.relays))

    def _connect(self, name: str) -> Callable[[], Relay]:
        def connect() -> Relay:
            if self.relays[name].gone:
                raise DeviceLost("unplugged")
            return self.relays[name]

        return connect

    def _record(self, event: Event, then: Callable[[], None] | None = None, shots: Sequence[Shot] = ()) -> None:
        self.events.append((event, time.monotonic()))
        self.shots.append(shots)
        if then:
            self.kept.append(then)

    def names(self) -> list[str]:
        return [event.name for event, _ in self.events]

    def see(self, observation: Observation | PictureDone) -> Event:
        """Submit and wait for its first event."""
        before = len(self.events)
        assert self.keeper.submit(observation)
        wait_until(lambda: len(self.events) > before)
        return self.events[before][0]

    def count(self, what: str) -> int:
        return self.board.counters().get(f"doorkeeper.{what}", 0)

    def close(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def card(written: str = "em4100:62E3086CED", point: str = "door", stamp: Stamp | None = None) -> CardRead:
    return CardRead(point, f"{point}-reader", stamp or now(), parse_credential(written))


def plate(number: str | None = "鄂J12345", confidence: float = 0.97, point: str = "gate", **more: Any) -> PlateSeen:
    read = Plate(number, f"{number[:2]}·{number[2:]}", "02", "5", confidence, (0.991,) * 7) if number else None
    given = {"stamp": now(), "reads": 4, "box": Box(10.4, 20, 110, 50), **more}
    return PlateSeen(point, "cam", plate=read, **given)


def face(subject: str = OWNER.ref, point: str = "door", assurance: str = "low", **more: Any) -> FaceSeen:
    return FaceSeen(point, "cam", now(), subject, 0.81234, 0.6, 30, assurance, "none", **more)


def old(seconds: float) -> Stamp:
    stamp = now()
    return replace(stamp, time=stamp.time - timedelta(seconds=seconds), mono=stamp.mono - seconds)
