"""Readers: reconnecting, debounce, how old a card is, and drivers that misbehave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from drivers.framed_reader import FramedReader
from drivers.readers import rdm6300
from gateway import board as board_module
from gateway import presence
from gateway.board import Board
from gateway.credentials import Credential, Format
from gateway.errors import BadFrame, DeviceLost
from gateway.text import Language
from gateway.types import CardRead, DeviceStatus
from gateway.worker import Presentations, ReaderWorker
from tests.real import wait_until
from tests.wire import Tty
from tests.workers.parts import CARD, OTHER, SETTINGS, online, reader_on, running, status


def test_a_card_becomes_an_observation_with_its_time(board: Board) -> None:
    seen: list[CardRead] = []
    with Tty() as device, running(reader_on(device.path, seen, board)):
        wait_until(online(board))
        device.send(CARD)
        wait_until(lambda: seen)
        assert seen[0].stamp.age() < 0.5
        assert (seen[0].point, seen[0].device) == ("east-door", "east-reader")
        assert seen[0].credential == Credential(Format.EM4100, bytes.fromhex("62E3086CED"))
        assert "reader:east-reader" in board.beats()
    assert "reader:east-reader" not in board.beats()


def test_a_reader_that_goes_and_comes_back_behind_its_link(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "STEADY_S", 0.2)
    link, seen = tmp_path / "reader", list[CardRead]()
    with Tty() as first, Tty() as second, running(reader_on(link, seen, board)):
        wait_until(lambda: status(board) is DeviceStatus.OFFLINE)
        link.symlink_to(first.path)
        wait_until(online(board))
        first.send(CARD[:7])
        time.sleep(0.05)
        first.unplug()
        link.unlink()
        wait_until(lambda: status(board) is DeviceStatus.OFFLINE, what="the loss is seen within a second")
        assert "/dev/serial/by-id" in board.devices()[0].detail or str(link) in board.devices()[0].detail
        link.symlink_to(second.path)
        wait_until(online(board))
        second.send(CARD[7:])
        time.sleep(0.2)
        assert seen == []
        second.send(CARD)
        wait_until(lambda: seen)


class Frozen:
    """A reader that gets a card while the process stands still."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self) -> Sequence[Credential | BadFrame]:
        self.reads += 1
        time.sleep(2.2 if self.reads == 2 else 0.05)
        return [Credential(Format.HEX, bytes((0, 0, self.reads)))]

    def close(self) -> None:
        return None


def test_a_card_shown_while_the_process_stood_still_is_as_old_as_it_may_be(board: Board) -> None:
    """Else the door opens for whoever comes by when it wakes."""
    ages: list[float] = []
    with running(ReaderWorker("r", SETTINGS, Frozen, lambda read: ages.append(read.stamp.age()), board)):
        wait_until(lambda: len(ages) >= 3)
    assert ages[0] < 0.5
    assert ages[1] >= 2.2
    assert ages[2] < 0.5


def test_repeats_are_one_presentation_and_another_card_is_not_delayed(board: Board) -> None:
    seen: list[CardRead] = []
    with Tty() as device, running(reader_on(device.path, seen, board)):
        wait_until(online(board))
        for wire in (CARD, CARD, OTHER, CARD):
            device.send(wire)
            time.sleep(0.065)
        device.send(b"\x0262E3086CED09\x03")
        wait_until(lambda: "reader.east-reader.bad.checksum" in board.counters())
        time.sleep(0.5)
        device.send(CARD)
        wait_until(lambda: len(seen) == 3)
    assert [read.credential.value[0] for read in seen] == [0x62, 0x67, 0x62]
    assert board.counters() == {
        "reader.east-reader.cards": 3,
        "reader.east-reader.repeats": 2,
        "reader.east-reader.bad.checksum": 1,
    }


def test_the_hold_slides_with_each_frame() -> None:
    held, card = Presentations(1.0), Credential(Format.HEX, b"\x01\x02\x03")
    assert [held.is_new(card, at) for at in (0.0, 0.9, 1.8, 2.7, 3.7)] == [True, False, False, False, True]
    assert [Presentations(0.0).is_new(card, at) for at in (0.0, 0.0)] == [True, True]


def test_the_hold_remembers_few_cards() -> None:
    held = Presentations(60.0)
    for number in range(10_000):
        held.is_new(Credential(Format.HEX, number.to_bytes(3)), 0.0)
    assert len(held._last) <= 64


class Buggy:
    """A driver whose every third read fails as only a bug does."""

    def __init__(self) -> None:
        self.reads = 0
        self.closed = 0

    def read(self) -> Sequence[Credential | BadFrame]:
        self.reads += 1
        time.sleep(0.01)
        if self.reads % 3 == 0:
            raise ValueError("62E3086CED is no card")
        return [Credential(Format.HEX, bytes((0, self.reads // 256, self.reads % 256)))]

    def close(self) -> None:
        self.closed += 1
        raise KeyError("and it cannot even close")


def test_a_driver_that_raises_does_not_end_the_thread(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    reader, seen, states = Buggy(), list[CardRead](), list[DeviceStatus]()
    board.on_device(lambda state: states.append(state.status))
    with running(ReaderWorker("east-reader", SETTINGS, lambda: reader, seen.append, board)):
        wait_until(lambda: len(seen) >= 4)
    assert reader.closed >= 2
    assert states == [DeviceStatus.ONLINE, DeviceStatus.FAULT]
    assert "KeyError" in caplog.text
    assert "62E3086CED" not in caplog.text


def test_a_reader_that_comes_and_goes_is_back_only_once_it_stays(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """A serial server that has another client, say, or a loose plug: its cards count, its flicker fills no journal."""
    monkeypatch.setattr(presence, "STEADY_S", 1.0)
    states = list[DeviceStatus]()
    board.on_device(lambda state: states.append(state.status))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"socket://127.0.0.1:{server.getsockname()[1]}"
        seen: list[CardRead] = []
        with running(reader_on(address, seen, board)):
            for _ in range(4):
                line, _ = server.accept()
                time.sleep(0.3)  # what comes at once was shown before it was open
                line.sendall(CARD)
                time.sleep(0.3)
                line.close()
            assert len(seen) >= 2
            line, _ = server.accept()
            wait_until(online(board))
            line.close()
    assert states[:3] == [DeviceStatus.ONLINE, DeviceStatus.OFFLINE, DeviceStatus.ONLINE]


def test_a_driver_that_cannot_connect_is_retried_ever_more_slowly(board: Board) -> None:
    tries: list[float] = []

    def connect() -> FramedReader:
        tries.append(time.monotonic())
        return rdm6300.connect(rdm6300.Options(port="/dev/serial/by-id/none"))

    with running(ReaderWorker("east-reader", SETTINGS, connect, print, board)):
        wait_until(lambda: len(tries) == 4)
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert 0.3 < gaps[0] < 0.8
    assert gaps[0] < gaps[1] < gaps[2] + 0.1
    assert status(board) is DeviceStatus.OFFLINE


def test_a_device_that_takes_long_to_open_is_no_reason_to_restart_the_doors(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, release = list[float](), threading.Event()

    def connect() -> FramedReader:
        tries.append(time.monotonic())
        if len(tries) > 1:
            release.wait(5)
        raise DeviceLost("no name server answers")

    worker = ReaderWorker("east-reader", SETTINGS, connect, print, board)
    with running(worker):
        wait_until(lambda: len(tries) > 1)
        monkeypatch.setattr(board_module, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 30))
        silent = board.silent()
        monkeypatch.undo()
        release.set()
    assert silent == []


def test_the_board_says_in_the_site_s_language_why_a_device_is_away(
    board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    options = rdm6300.Options(port="/dev/serial/by-id/none")
    worker = ReaderWorker("east-reader", SETTINGS, lambda: rdm6300.connect(options), print, board, language=Language.ZH)
    with running(worker):
        wait_until(lambda: status(board) is DeviceStatus.OFFLINE)
    (device,) = board.devices()
    assert device.detail.startswith("串口 /dev/serial/by-id/none：")
    assert "serial port /dev/serial/by-id/none: No such file or directory" in caplog.text


# ── actuators ─────────────────────────────────────────────────────────────────────────────────────────────
