"""Relays: pulses, boards that go, and drivers that hang or raise."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from gateway import presence
from gateway.board import Board
from gateway.contracts import Actuator
from gateway.types import DeviceStatus
from gateway.worker import ActuatorWorker
from tests.real import wait_until
from tests.standstill import awake
from tests.wire import Tty
from tests.workers.parts import OFF, ON, online, relay_on, running, status


def test_a_relay_is_off_first_on_for_its_pulse_and_off_again(board: Board) -> None:
    with Tty() as device, running(worker := relay_on(device.path, board)):
        assert device.received(4) == OFF
        wait_until(online(board))
        start, began = time.monotonic(), awake()
        assert worker.pulse(0.3).sent(1.0)
        assert awake() - began < 0.3
        assert device.received(4) == ON
        assert device.received(4) == OFF
        assert time.monotonic() - start >= 0.3
        assert awake() - began < 1.0


def test_pulses_that_overlap_extend(board: Board) -> None:
    with Tty() as device, running(worker := relay_on(device.path, board)):
        wait_until(online(board))
        start, began = time.monotonic(), awake()
        worker.pulse(0.6)
        time.sleep(0.2)
        worker.pulse(0.1)  # ends sooner: shortens nothing
        time.sleep(0.2)
        worker.pulse(0.6)
        assert device.received(16) == OFF + ON + ON + ON
        assert device.received(4) == OFF
        assert time.monotonic() - start >= 0.95
        assert awake() - began < 2.0


def test_stopping_releases_no_door_for_longer(board: Board) -> None:
    with Tty() as device:
        with running(worker := relay_on(device.path, board)):
            wait_until(online(board))
            assert worker.pulse(30).sent(1.0)
        assert device.received(12) == OFF + ON + OFF
        assert not worker.pulse(1).sent(0.5)


def test_while_the_board_is_away_a_pulse_fails_at_once(board: Board, tmp_path: Path) -> None:
    link = tmp_path / "relay"
    with Tty() as first, Tty() as second, running(worker := relay_on(link, board)):
        assert not worker.pulse(1).sent(0.05)
        link.symlink_to(first.path)
        wait_until(online(board))
        assert worker.pulse(30).sent(1.0)
        first.unplug()
        link.unlink()
        assert not worker.pulse(1).sent(1.0)
        wait_until(lambda: status(board) is DeviceStatus.OFFLINE)
        link.symlink_to(second.path)
        assert second.received(4) == OFF, "what was on is off after the reconnection"
        assert second.received(4, 0.3) == b""


def test_an_idle_board_that_goes_is_found_without_a_person(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActuatorWorker, "_IDLE_CHECK_S", 0.2)
    with Tty() as device, running(relay_on(device.path, board)):
        wait_until(online(board))
        assert device.received(8) == OFF + OFF
        device.unplug()
        wait_until(lambda: status(board) is DeviceStatus.OFFLINE)


class Stuck:
    """A relay driver that fails when it is switched on."""

    def switch(self, on: bool) -> None:
        if on:
            raise ValueError("not today")

    def close(self) -> None:
        return None


def test_a_relay_driver_that_raises_fails_the_pulse_and_not_the_thread(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "STEADY_S", 0.2)
    relays: list[Actuator] = []

    def connect() -> Actuator:
        relays.append(Stuck())
        return relays[-1]

    with running(worker := ActuatorWorker("east-relay", None, connect, board)):
        wait_until(online(board))
        start = awake()
        assert not worker.pulse(1).sent(1.0)
        assert awake() - start < 0.5
        wait_until(lambda: len(relays) == 2 and status(board) is DeviceStatus.ONLINE)


def test_waiting_pulses_are_bounded(board: Board) -> None:
    release = threading.Event()

    class Slow(Stuck):
        def switch(self, on: bool) -> None:
            if on:
                release.wait(1)

    with running(worker := ActuatorWorker("east-relay", None, Slow, board)):
        wait_until(online(board))
        pulses = [worker.pulse(0.1) for _ in range(200)]
        assert not any(pulse.sent(0) for pulse in pulses[66:])
        release.set()
        assert pulses[0].sent(1.0)


class SlowRelay:
    """A relay whose line hangs for a while at each order to switch on."""

    def __init__(self, hang_s: float) -> None:
        self.orders: list[bool] = []
        self._hang_s = hang_s

    def switch(self, on: bool) -> None:
        if on:
            time.sleep(self._hang_s)
        self.orders.append(on)

    def close(self) -> None:
        pass


def test_an_order_that_was_given_up_opens_nothing_later(board: Board) -> None:
    relay = SlowRelay(0.6)
    worker = ActuatorWorker("east-relay", "east-door", lambda: relay, board)
    with running(worker):
        wait_until(online(board))
        first, second = worker.pulse(0.1), worker.pulse(0.1)
        assert not second.sent(0.2)  # the first one hangs on the wire: whoever waited for the second goes on
        assert first.sent(2.0)
        wait_until(lambda: board.counters().get("actuator.east-relay.too_late") == 1)
    assert relay.orders.count(True) == 1
