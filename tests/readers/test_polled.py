"""What every polled reader promises, on a real tty with its device emulated on the other end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from drivers.polled_reader import MISSES, PolledReader
from gateway import presence
from gateway.board import Board
from gateway.contracts import Reader
from gateway.errors import BadFrame, DeviceLost
from gateway.registry import load_driver, names
from gateway.settings import Reader as ReaderSettings
from gateway.text import Language, Text
from gateway.types import CardRead, DeviceStatus
from gateway.worker import ReaderWorker
from tests.readers.emulated import Emulated, ModbusLine, Pn532Chip, YhyModule
from tests.real import wait_until
from tests.standstill import awake
from tests.wire import CUTS, Results, Tty, cards, faults, read_for
from tests.workers.parts import online, running, status

UID, OTHER = bytes.fromhex("B0864D25"), bytes.fromhex("9EB36E66")
CARD = "hex:B0864D25"


def show_card(device: Emulated, uid: bytes | None) -> None:
    device.card = uid


def show_number(device: Emulated, uid: bytes | None) -> None:
    assert isinstance(device, ModbusLine)
    device.show(bytes(4) + (uid or bytes(4)))


@dataclass(frozen=True)
class Kind:
    driver: str
    emulated: Callable[[Tty], Emulated]
    show: Callable[[Emulated, bytes | None], None]
    options: dict[str, Any]

    def connect(self, path: str) -> Reader:
        driver = load_driver("reader", self.driver)
        reader: Reader = driver.connect(driver.Options.model_validate({"port": path, **self.options}))
        return reader


REGISTERS = {"first_register": 6, "count": 4, "format": "hex", "size": 4}
KINDS = [
    Kind("pn532", Pn532Chip, show_card, {}),
    Kind("yhy", YhyModule, show_card, {}),
    Kind("modbus-reader", ModbusLine, show_number, REGISTERS),
]
EVERY = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.driver)


@contextmanager
def reading(kind: Kind) -> Iterator[tuple[Emulated, Reader]]:
    with Tty() as tty, kind.emulated(tty) as device:
        reader = kind.connect(tty.path)
        try:
            yield device, reader
        finally:
            reader.close()


def test_every_polled_reader_is_here() -> None:
    polled = {name for name in names("reader") if "poll_s" in load_driver("reader", name).Options.model_fields}
    assert polled == {kind.driver for kind in KINDS}


@EVERY
@pytest.mark.parametrize("cut", CUTS)
def test_a_card_is_read_however_the_wire_cuts_the_answer(kind: Kind, cut: Callable[[bytes], list[bytes]]) -> None:
    with reading(kind) as (device, reader):
        device.spoil, device.pause_s = cut, 0.001
        assert read_for(reader, 0.3) == []
        kind.show(device, UID)
        assert set(cards(found := read_for(reader, 0.5))) == {CARD}
        assert faults(found) == []
        kind.show(device, OTHER)
        assert set(cards(read_for(reader, 0.5))) <= {CARD, "hex:9EB36E66"}
        kind.show(device, None)
        read_for(reader, 0.3)
        assert read_for(reader, 0.3) == []


@EVERY
def test_a_card_that_lies_there_is_told_at_each_look(kind: Kind) -> None:
    """So that the hold slides: it is one presentation for as long as it lies there."""
    with reading(kind) as (device, reader):
        kind.show(device, UID)
        assert 4 <= len(cards(read_for(reader, 1.1))) <= 12


@EVERY
def test_a_device_that_is_silent_is_not_there(kind: Kind) -> None:
    with Tty() as tty:
        start = awake()
        with pytest.raises(DeviceLost) as caught:
            kind.connect(tty.path)
        assert awake() - start < 1.5
        assert "power" in str(caught.value.hint)
        assert "供电" in caught.value.say(Language.ZH)


@EVERY
def test_a_wrong_baud_rate_is_told_so(kind: Kind) -> None:
    with Tty() as tty, kind.emulated(tty) as device:
        device.spoil = lambda _: [b"\xfe\x80\x98\xe0\xf8"]
        with pytest.raises(DeviceLost, match="without a frame") as caught:
            kind.connect(tty.path)
        assert "baud" in str(caught.value.hint)
        device.spoil = lambda answer: [answer]
        kind.connect(tty.path).close()  # the port had been given back


@EVERY
def test_one_disturbed_answer_is_a_bad_frame_and_the_reader_stays(kind: Kind) -> None:
    with reading(kind) as (device, reader):
        kind.show(device, UID)
        read_for(reader, 0.3)
        kind.show(device, OTHER)
        device.spoil = lambda answer: [answer[:-3] + bytes((answer[-3] ^ 0x10,)) + answer[-2:]]
        spoiled = read_for(reader, 0.25)
        device.spoil = lambda answer: [answer]
        assert set(faults(spoiled)) <= {"checksum", "timeout", "noise", "framing"}
        assert "hex:9EB36E66" not in cards(spoiled)
        assert "hex:9EB36E66" in cards(read_for(reader, 0.7))


@EVERY
def test_half_an_answer_and_the_other_half_after_a_pause_are_no_card(kind: Kind) -> None:
    with reading(kind) as (device, reader):
        kind.show(device, UID)
        device.spoil, device.pause_s = lambda answer: [answer[:7], answer[7:]], 0.15
        results: list[Any] = []
        while len(faults(results)) < 3:
            results += reader.read()
        assert cards(results) == []


@EVERY
def test_a_device_without_power_is_lost_after_a_few_questions(kind: Kind) -> None:
    with reading(kind) as (device, reader):
        device.power(False)
        results: list[Any] = []
        start = awake()
        with pytest.raises(DeviceLost, match="no sound answer"):
            read_for(reader, 30, results)
        assert faults(results) == ["timeout"] * (MISSES - 1)
        assert awake() - start < 3.5


def test_it_is_lost_by_bad_answers_in_a_row_only() -> None:
    """A question that could not be asked is neither."""
    some = [False, None] * (MISSES - 1)
    answers: list[bool | None] = [*some, True] * 3 + [*some, False]

    def ask() -> Results | None:
        answer = answers.pop(0)
        if answer is False:
            raise BadFrame("no answer", reason="timeout")
        return [] if answer else None

    reader = PolledReader(ask, lambda: None, 0.001, Text("", "is it there?"))
    with pytest.raises(DeviceLost, match="is it there"):
        read_for(reader, 30)
    assert answers == []


@EVERY
def test_power_that_comes_back_brings_the_reader_back(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "STEADY_S", 0.2)
    seen, board = list[CardRead](), Board()
    settings = ReaderSettings(driver=kind.driver, point="east-door")
    with Tty() as tty, kind.emulated(tty) as device:
        worker = ReaderWorker("r", settings, lambda: kind.connect(tty.path), seen.append, board)
        with running(worker):
            wait_until(online(board))
            device.power(False)
            wait_until(lambda: status(board) is DeviceStatus.OFFLINE)
            assert "no sound answer" in board.devices()[0].detail
            device.power(True)
            wait_until(online(board))
            kind.show(device, UID)
            wait_until(lambda: seen)
            time.sleep(1.2)
            assert len(seen) == 1, "a card that lies there is one presentation"
            assert not [name for name in board.counters() if "bad" in name and "timeout" not in name]


@EVERY
def test_an_unplugged_port_is_lost_within_a_second(kind: Kind) -> None:
    with Tty() as tty, kind.emulated(tty) as device:
        reader = kind.connect(tty.path)
        device.__exit__(None, None, None)
        tty.unplug()
        start = awake()
        with pytest.raises(DeviceLost):
            read_for(reader, 30)
        assert awake() - start < 1.0
        reader.close()
        reader.close()
