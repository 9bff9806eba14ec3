"""Several readers on one line, each read by a thread of its own, as their workers do."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.credentials import Credential
from gateway.errors import DeviceLost
from tests.osdp.bus import Bus, Reader
from tests.osdp.reading import opened, word
from tests.real import wait_until
from tests.standstill import awake


class Watched:
    """A reader in a thread of its own, as its worker reads it."""

    def __init__(self, bus: Bus, key_file: Path, address: int) -> None:
        self.cards: queue.Queue[str] = queue.Queue()
        self.losses: list[str] = []
        self._stop = threading.Event()
        self._open = lambda: opened(bus, key_file, 0.0, address=address)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                reader = self._open()
                try:
                    while not self._stop.is_set():
                        for result in reader.read():
                            if isinstance(result, Credential):
                                self.cards.put(result.written())
                finally:
                    reader.close()
            except DeviceLost as error:
                self.losses.append(str(error))
                time.sleep(0.3)

    def end(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.fixture
def watch(bus: Bus, key_file: Path) -> Iterator[Callable[[int], Watched]]:
    running: list[Watched] = []

    def start(address: int) -> Watched:
        running.append(Watched(bus, key_file, address))
        return running[-1]

    yield start
    for one in running:
        one.end()


def card_of(watched: Watched, device: Reader, number: int) -> str:
    """Show a card until it is read: what a reader was told before its session is nobody's."""
    deadline = awake() + 60.0
    while awake() < deadline:
        device.show(*word(1, number))
        try:
            return watched.cards.get(timeout=0.5)
        except queue.Empty:
            continue
    raise AssertionError(watched.losses)


def test_each_reader_of_a_line_gets_its_own_cards(bus: Bus, watch: Callable[[int], Watched]) -> None:
    devices = [bus.reader(address) for address in (0, 1, 2)]
    readers = [watch(address) for address in (0, 1, 2)]
    wanted = [{f"w26:{address}-{number}" for number in range(10)} for address in (0, 1, 2)]
    seen: list[set[str]] = [set(), set(), set()]
    deadline = awake() + 60.0
    while seen != wanted and awake() < deadline:
        for address, device in enumerate(devices):
            for missing in sorted(wanted[address] - seen[address])[:3]:  # at once, as people do not
                device.show(*word(address, int(missing.partition("-")[2])))
        time.sleep(0.5)
        for address, reader in enumerate(readers):
            while not reader.cards.empty():
                seen[address].add(reader.cards.get())
    assert seen == wanted


def test_a_dead_address_leaves_the_line_to_the_others(bus: Bus, watch: Callable[[int], Watched]) -> None:
    alive, dead = bus.reader(0), watch(1)
    reader = watch(0)
    assert card_of(reader, alive, 1) == "w26:1-1"
    wait_until(lambda: dead.losses)
    assert "nothing answers at address 1" in dead.losses[0]
    time.sleep(0.3)
    reader.losses.clear()
    for number in range(2, 8):
        assert card_of(reader, alive, number).startswith("w26:1-")
    late = bus.reader(1)
    assert card_of(dead, late, 9) == "w26:1-9"
    assert not reader.losses


def test_a_reader_that_joins_later_costs_the_others_a_moment_only(bus: Bus, watch: Callable[[int], Watched]) -> None:
    first, second = bus.reader(0), bus.reader(1)
    one = watch(0)
    assert card_of(one, first, 1) == "w26:1-1"
    two = watch(1)
    assert card_of(two, second, 2) == "w26:1-2"
    assert card_of(one, first, 3)
    assert not one.losses
    assert not two.losses


def test_who_waits_is_woken_by_its_card_though_another_drives(bus: Bus, key_file: Path) -> None:
    devices = [bus.reader(address) for address in (0, 1)]
    readers = [opened(bus, key_file, address=address)._share for address in (0, 1)]
    line, ended = readers[0]._line, threading.Event()
    assert line is not None
    line.wait(lambda: all(share.peripheral.settled for share in readers), 3.0, readers[0]._age)

    def drive() -> None:
        line.wait(ended.is_set, 4.0, readers[0]._age)

    driver = threading.Thread(target=drive)
    driver.start()
    time.sleep(0.2)
    devices[1].show(*word(61, 1))
    inbox = readers[1].peripheral.inbox
    start = awake()
    line.wait(lambda: bool(inbox), 3.0, readers[1]._age)
    assert inbox
    assert awake() - start < 2.0
    ended.set()
    driver.join()
    for share in readers:
        share.close()


def test_two_readers_with_one_address_are_refused(bus: Bus, key_file: Path) -> None:
    bus.reader()
    reader = opened(bus, key_file)
    with pytest.raises(DeviceLost, match="belongs to another"):
        opened(bus, key_file, 0.0)
    reader.close()
    opened(bus, key_file).close()


def test_another_baud_on_a_shared_line_is_refused(bus: Bus, key_file: Path) -> None:
    bus.reader()
    reader = opened(bus, key_file)
    with pytest.raises(DeviceLost, match="same baud"):
        opened(bus, key_file, 0.0, address=1, baud=19200)
    reader.close()
