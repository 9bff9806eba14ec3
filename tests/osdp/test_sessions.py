"""Readers in processes of their own, on a real tty: sessions, cards, losses and returns."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.osdp import line
from drivers.readers import osdp
from drivers.wiegand_bits import LAYOUTS, encode
from gateway.credentials import Credential
from gateway.errors import BadFrame, DeviceLost
from gateway.text import Language
from tests.osdp.bus import KEY, Bus, Reader
from tests.wire import cards, faults

OTHER = "00112233445566778899AABBCCDDEEFF"


def word(facility: int, card: int) -> tuple[int, str]:
    """A card of 26 bits as a reader sends it."""
    bits = encode(facility << 16 | card, LAYOUTS["26"])
    return 26, int(bits.ljust(32, "0"), 2).to_bytes(4).hex()


def opened(bus: Bus, key_file: Path, seconds: float = 10.0, **options: Any) -> osdp.OsdpReader:
    """Connect as a worker does: again and again, for so long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            given = {"port": bus.path, "scbk_file": key_file, **options}
            return osdp.connect(osdp.Options.model_validate(given))
        except DeviceLost:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def read_until(reader: osdp.OsdpReader, done: Callable[[list[Any]], bool], seconds: float = 3.0) -> list[Any]:
    results: list[Any] = []
    deadline = time.monotonic() + seconds
    while not done(results) and time.monotonic() < deadline:
        start = time.monotonic()
        results += reader.read()
        assert time.monotonic() - start < 0.5
    return results


def shown(reader: osdp.OsdpReader, device: Reader, number: int) -> list[str]:
    """Hold a card before it and read."""
    device.show(*word(61, number))
    return cards(read_until(reader, bool))


@pytest.mark.parametrize("piece", [0, 1, 8])
def test_cards_are_read_however_the_wire_cuts_the_replies(piece: int, key_file: Path) -> None:
    with Bus(piece) as bus:
        device = bus.reader()
        reader = opened(bus, key_file)
        assert [shown(reader, device, number) for number in (1, 2, 3)] == [["w26:61-1"], ["w26:61-2"], ["w26:61-3"]]
        reader.close()


def test_a_reader_says_what_it_is(bus: Bus, key_file: Path) -> None:
    bus.reader()
    reader = opened(bus, key_file)
    said = reader.describe()
    assert str(said) == "answers: vendor CAFEBA, model 7, serial DEADBEAF, firmware 1.2.3; secure channel"
    assert "安全通道" in said.say(Language.ZH)
    reader.close()


def test_cards_of_other_lengths(bus: Bus, key_file: Path) -> None:
    device = bus.reader()
    reader = opened(bus, key_file)
    device.show(32, "B0864D25")
    device.show(56, "04A2B3C4D5E680")
    device.show(30, "B0864D24")
    results = read_until(reader, lambda found: len(found) == 3)
    assert cards(results) == ["hex:B0864D25", "hex:04A2B3C4D5E680"]
    assert faults(results) == ["length"]
    reader.close()


def test_keys_are_counted_and_no_card(bus: Bus, key_file: Path) -> None:
    device = bus.reader()
    reader = opened(bus, key_file)
    device.tell(event=2, reader_no=0, data="31323334")
    results = read_until(reader, bool)
    assert faults(results) == ["keypad"]
    assert "1234" not in str(results)
    reader.close()


def test_tampering_and_failing_power_are_told(bus: Bus, key_file: Path) -> None:
    device = bus.reader()
    reader = opened(bus, key_file)
    assert reader.complaint() is None
    for report, told in (("0100", "tampered"), ("0001", "power"), ("0000", "None")):
        device.tell(event=4, type=2, report=report)
        read_until(reader, lambda _, told=told: told in str(reader.complaint()))  # type: ignore[misc]
        assert told in str(reader.complaint())
    assert shown(reader, device, 4) == ["w26:61-4"]
    reader.close()


def test_a_card_shown_before_the_session_opens_nothing(bus: Bus, key_file: Path) -> None:
    device = bus.reader()
    for number in range(1, 6):  # a reader tells one at each poll
        device.show(*word(61, number))
    time.sleep(0.2)
    reader = opened(bus, key_file)
    results = read_until(reader, lambda _: False, 0.8)
    assert cards(results) == []
    assert set(faults(results)) == {"stale"}
    assert shown(reader, device, 2) == ["w26:61-2"]
    reader.close()


def test_another_key_gives_no_card_and_says_so(bus: Bus, key_file: Path) -> None:
    device = bus.reader(key=OTHER)
    device.show(*word(61, 1))
    with pytest.raises(DeviceLost, match="has another key") as caught:
        opened(bus, key_file, 0.0)
    assert "密钥" in caught.value.say(Language.ZH)
    device.show(*word(61, 1))
    with pytest.raises(DeviceLost, match="has another key"):
        opened(bus, key_file, 0.0)


def test_a_reader_without_a_secure_channel_is_refused(bus: Bus, key_file: Path) -> None:
    device = bus.reader(key="none")
    device.show(*word(61, 1))
    with pytest.raises(DeviceLost, match="refuses the secure channel"):
        opened(bus, key_file, 0.0)


def test_in_clear_where_the_operator_says_so(bus: Bus) -> None:
    device = bus.reader(key="none")
    reader = osdp.connect(osdp.Options(port=bus.path, secure=False))
    assert shown(reader, device, 9) == ["w26:61-9"]
    assert "in clear" in str(reader.describe())
    reader.close()


def test_nobody_at_the_address(bus: Bus, key_file: Path) -> None:
    start = time.monotonic()
    with pytest.raises(DeviceLost, match="nothing answers at address 5"):
        opened(bus, key_file, 0.0, address=5)
    assert time.monotonic() - start < 3.0


def test_a_reader_whose_power_was_cut_is_back_within_seconds(bus: Bus, key_file: Path) -> None:
    bus.reader()
    reader = opened(bus, key_file)
    bus.remove(0)
    with pytest.raises(DeviceLost, match="nothing answers"):
        read_until(reader, lambda _: False, 5.0)
    reader.close()
    device = bus.reader()
    reader = opened(bus, key_file, 5.0)
    assert shown(reader, device, 7) == ["w26:61-7"]
    reader.close()


def test_an_adapter_pulled_out_and_put_in_again(tmp_path: Path, key_file: Path) -> None:
    link = tmp_path / "adapter"
    with Bus() as bus:
        device = bus.reader()
        link.symlink_to(bus.path)
        reader = osdp.connect(osdp.Options(port=str(link), scbk_file=key_file))
        bus.unplug()
        with pytest.raises(DeviceLost):
            read_until(reader, lambda _: False, 1.0)
        reader.close()
        for number in (1, 2, 3):
            device.show(*word(61, number))
        bus.plug()
        link.unlink()
        link.symlink_to(bus.path)
        start = time.monotonic()
        reader = osdp.connect(osdp.Options(port=str(link), scbk_file=key_file))
        assert time.monotonic() - start < 2.0
        assert cards(read_until(reader, lambda _: False, 0.6)) == [], "shown while nobody could see who stood there"
        assert shown(reader, device, 8) == ["w26:61-8"]
        reader.close()
        reader.close()


def test_an_adapter_that_comes_back_without_its_reader(tmp_path: Path, key_file: Path) -> None:
    link = tmp_path / "adapter"
    with Bus() as bus:
        bus.reader()
        link.symlink_to(bus.path)
        reader = osdp.connect(osdp.Options(port=str(link), scbk_file=key_file))
        bus.remove(0)
        bus.unplug()
        with pytest.raises(DeviceLost):
            read_until(reader, lambda _: False, 1.0)
        reader.close()
        bus.plug()
        link.unlink()
        link.symlink_to(bus.path)
        with pytest.raises(DeviceLost, match="nothing answers"):
            osdp.connect(osdp.Options(port=str(link), scbk_file=key_file))


def test_whoever_was_held_up_himself_finds_his_reader_there(bus: Bus, key_file: Path) -> None:
    device = bus.reader()
    reader = opened(bus, key_file)
    time.sleep(2.5)  # the doors were busy, or the box was frozen
    device.show(*word(61, 1))
    results = read_until(reader, bool)
    results += read_until(reader, lambda _: False, 0.4)
    assert faults(results) == ["stale"]
    assert shown(reader, device, 2) == ["w26:61-2"]
    reader.close()


def test_the_clock_of_the_day_is_set_back(bus: Bus, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libosdp measures by it: the panel is made anew, and so are the sessions."""
    device = bus.reader()
    reader = opened(bus, key_file)
    before = clock = line._clock()
    monkeypatch.setattr(line, "_clock", lambda: clock)
    sessions = bus.sent_codes().count(0x76)
    clock = before - 3600
    read_until(reader, lambda _: bus.sent_codes().count(0x76) > sessions)
    assert bus.sent_codes().count(0x76) == sessions + 1
    assert shown(reader, device, 3) == ["w26:61-3"]
    reader.close()


# ── several readers on one line ───────────────────────────────────────────────────────────────────────────


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
        self._thread.join(5)
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
    deadline = time.monotonic() + 8.0
    while time.monotonic() < deadline:
        device.show(*word(1, number))
        try:
            return watched.cards.get(timeout=0.5)
        except queue.Empty:
            continue
    raise AssertionError(watched.losses)


def test_readers_that_share_a_line(bus: Bus, watch: Callable[[int], Watched]) -> None:
    devices = [bus.reader(address) for address in (0, 1, 2)]
    readers = [watch(address) for address in (0, 1, 2)]
    for number, (reader, device) in enumerate(zip(readers, devices, strict=True)):
        assert card_of(reader, device, number) == f"w26:1-{number}"
    time.sleep(0.6)  # cards shown more than once above
    for reader in readers:
        while not reader.cards.empty():
            reader.cards.get()
    for number in range(10, 20):
        for device in devices:
            device.show(*word(1, number))
    for reader in readers:
        assert [reader.cards.get(timeout=5) for _ in range(10)] == [f"w26:1-{number}" for number in range(10, 20)]


def test_a_dead_address_leaves_the_line_to_the_others(bus: Bus, watch: Callable[[int], Watched]) -> None:
    alive, dead = bus.reader(0), watch(1)
    reader = watch(0)
    assert card_of(reader, alive, 1) == "w26:1-1"
    deadline = time.monotonic() + 3.0
    while not dead.losses and time.monotonic() < deadline:
        time.sleep(0.05)
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
    readers = [opened(bus, key_file, 4.0, address=address)._share for address in (0, 1)]
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
    start = time.monotonic()
    line.wait(lambda: bool(inbox), 3.0, readers[1]._age)
    assert inbox
    assert time.monotonic() - start < 2.0
    ended.set()
    driver.join(5)
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


def test_a_new_key_in_the_file_counts_with_the_next_connection(bus: Bus, key_file: Path) -> None:
    device = bus.reader(key=OTHER)
    with pytest.raises(DeviceLost):
        opened(bus, key_file, 0.0)
    key_file.write_text(OTHER)
    reader = opened(bus, key_file, 5.0)
    assert shown(reader, device, 5) == ["w26:61-5"]
    reader.close()


def test_a_babbling_line_is_told_as_bad_frames(bus: Bus, key_file: Path) -> None:
    device = bus.reader()
    reader = opened(bus, key_file)
    bus.tty.send(b"\x53\x80\x08\x00\x05\x40\x00\x00" * 20)
    results = read_until(reader, bool)
    assert results
    assert all(isinstance(result, BadFrame) for result in results)
    read_until(reader, lambda _: False, 1.5)
    assert shown(reader, device, 6) == ["w26:61-6"]
    assert KEY not in repr(reader._share.peripheral)
    reader.close()
