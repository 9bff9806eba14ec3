"""A reader in a process of its own, on a real tty: sessions, cards, losses and returns."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from drivers.osdp import line
from drivers.osdp.peripheral import Peripheral
from drivers.readers import osdp
from gateway.errors import BadFrame, DeviceLost
from gateway.text import Language
from tests.osdp.bus import KEY, Bus, Link
from tests.osdp.reading import opened, pull_out, read_until, shown, word
from tests.standstill import awake
from tests.wire import cards, faults

OTHER = "00112233445566778899AABBCCDDEEFF"


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


def test_what_a_reader_said_of_itself_is_not_said_of_the_one_in_its_place() -> None:
    peripheral, one, other = Peripheral(0, None), {"serial_number": 1}, {"serial_number": 2}
    peripheral.begin_session(time.monotonic(), one, 1, True)
    peripheral.report(b"\x01\x00")
    for identity, told in ((one, True), (other, False)):
        peripheral.end_session(time.monotonic())
        peripheral.begin_session(time.monotonic(), identity, 1, True)
        assert (peripheral.complaint() is not None) is told


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
    start = awake()
    with pytest.raises(DeviceLost, match="nothing answers at address 5"):
        opened(bus, key_file, 0.0, address=5)
    assert awake() - start < 3.0


def test_a_reader_whose_power_was_cut_is_back_within_seconds(bus: Bus, key_file: Path) -> None:
    bus.reader()
    reader = opened(bus, key_file)
    bus.remove(0)
    with pytest.raises(DeviceLost, match="nothing answers"):
        read_until(reader, lambda _: False)
    reader.close()
    device = bus.reader()
    reader = opened(bus, key_file)
    assert shown(reader, device, 7) == ["w26:61-7"]
    reader.close()


def test_an_adapter_pulled_out_and_put_in_again(tmp_path: Path, key_file: Path) -> None:
    with Bus() as bus:
        device = bus.reader()
        link = Link(tmp_path / "adapter", bus)
        reader = opened(bus, key_file, port=link.port)
        pull_out(bus, reader)
        for number in (1, 2, 3):
            device.show(*word(61, number))
        bus.plug()
        link.lead_to(bus)
        start = awake()
        reader = opened(bus, key_file, port=link.port)
        assert awake() - start < 2.0
        assert cards(read_until(reader, lambda _: False, 0.6)) == [], "shown while nobody could see who stood there"
        assert shown(reader, device, 8) == ["w26:61-8"]
        reader.close()
        reader.close()


def test_an_adapter_that_comes_back_without_its_reader(tmp_path: Path, key_file: Path) -> None:
    with Bus() as bus:
        bus.reader()
        link = Link(tmp_path / "adapter", bus)
        reader = opened(bus, key_file, port=link.port)
        bus.remove(0)
        pull_out(bus, reader)
        bus.plug()
        link.lead_to(bus)
        with pytest.raises(DeviceLost, match="nothing answers"):
            osdp.connect(osdp.Options(port=link.port, scbk_file=key_file))


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


def test_an_answer_from_before_a_standstill_does_not_make_the_card_new(
    bus: Bus, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, send = bus.reader(), bus.send
    monkeypatch.setattr(bus, "send", lambda data: (time.sleep(0.08), send(data)))  # a reader that thinks
    reader = opened(bus, key_file)
    read_until(reader, lambda _: False, 0.5)
    asked, share = len(bus.sent), reader._share
    assert share._line is not None
    share._line.wait(lambda: len(bus.sent) > asked, 1.0, share._age)  # frozen with a question under way
    time.sleep(0.3)
    device.show(*word(61, 1))
    time.sleep(2.5)
    results = read_until(reader, lambda _: False, 1.0)
    assert cards(results) == []
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


def test_a_new_key_in_the_file_counts_with_the_next_connection(bus: Bus, key_file: Path) -> None:
    device = bus.reader(key=OTHER)
    with pytest.raises(DeviceLost):
        opened(bus, key_file, 0.0)
    key_file.write_text(OTHER)
    reader = opened(bus, key_file)
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
