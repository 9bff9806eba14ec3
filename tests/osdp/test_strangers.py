"""Somebody on the wires: forged replies in a secure session, echoes, replies of others."""

from __future__ import annotations

import time
from binascii import crc_hqx
from collections import deque
from pathlib import Path

import pytest

from drivers.osdp.frames import SOM, Frame, parse
from drivers.osdp.peripheral import BUSY, CCRYPT, CHLNG, PDID, POLL, SCRYPT, Bits, Peripheral
from drivers.readers import osdp
from drivers.wiegand_bits import LAYOUTS, encode
from gateway.errors import BadFrame, DeviceLost
from tests.osdp.bus import KEY, Bus
from tests.osdp.reading import opened, read_until, shown
from tests.wire import cards, faults

ID, RAW, KEYPAD = 0x61, 0x50, 0x53
CARD = bytes((0, 1, 26, 0)) + int(encode(61 << 16 | 4822, LAYOUTS["26"]).ljust(32, "0"), 2).to_bytes(4)


def reply(command: Frame, code: int, data: bytes, block: int = 0, address: int | None = None) -> bytes:
    """A reply that fits a command in everything but its authenticity."""
    security = bytes((3, block, 1)) if block else b""
    body = security + bytes((code,)) + data
    control = command.raw[4] & 0x03 | 0x04 | (0x08 if block else 0)
    to = command.address if address is None else address
    raw = bytes((SOM, 0x80 | to)) + (5 + len(body) + 2).to_bytes(2, "little") + bytes((control,)) + body
    return raw + crc_hqx(raw, 0x1D0F).to_bytes(2, "little")


def read_command(data: bytes) -> Frame:
    return parse(data[data.find(SOM) :])


@pytest.mark.parametrize("block", [0, 0x11, 0x12, 0x13, 0x14])
def test_a_forged_card_in_a_secure_session_opens_nothing(block: int, key_file: Path) -> None:
    """libosdp itself takes one in a frame of the handshake's type SCS_12: it checks no MAC there."""
    with Bus() as bus:
        device = bus.reader()
        reader = opened(bus, key_file)
        forged: list[bytes] = []

        def stranger(data: bytes) -> None:
            command = read_command(data)
            if command.code == POLL and len(forged) < 3:
                forged.append(reply(command, RAW, CARD, block))
                bus.tty.send(forged[-1])

        bus.on_command = stranger
        results = read_until(reader, lambda _: len(forged) == 3)
        results += read_until(reader, lambda _: False, 0.3)
        assert len(forged) == 3
        assert cards(results) == []
        assert "insecure" in faults(results)
        assert shown(reader, device, 1) == ["w26:61-1"]
        reader.close()


def test_a_card_told_in_clear_during_the_handshake_opens_nothing(key_file: Path) -> None:
    """libosdp itself keeps it, and tells it once the session is up."""
    with Bus() as bus:
        bus.reader()
        forged: list[bytes] = []

        def stranger(data: bytes) -> None:
            command = read_command(data)
            if command.code in (ID, CHLNG) and len(forged) < 2:
                forged.append(reply(command, RAW, CARD))
                bus.tty.send(forged[-1])

        bus.on_command = stranger
        reader = opened(bus, key_file)
        assert len(forged) == 2
        assert cards(read_until(reader, lambda _: False, 0.5)) == []
        reader.close()


@pytest.mark.parametrize("secure", [True, False])
def test_our_own_echo_and_the_replies_of_others_are_passed_over(key_file: Path, secure: bool) -> None:
    """A two-wire adapter that hears itself; a reader that answers too late."""
    with Bus() as bus:
        device = bus.reader(key=KEY if secure else "none")

        def stranger(data: bytes) -> None:
            bus.tty.send(data)
            bus.tty.send(reply(read_command(data), 0x40, b"", address=9))

        bus.on_command = stranger
        reader = opened(bus, key_file) if secure else osdp.connect(osdp.Options(port=bus.path, secure=False))
        assert shown(reader, device, 2) == ["w26:61-2"]
        reader.close()


# ── the rule alone ────────────────────────────────────────────────────────────────────────────────────────


def heard(code: int, block: int, asked: int, key: bytes | None = b"k" * 16) -> bool:
    peripheral = Peripheral(0, key, asked=asked)
    command = parse(bytes.fromhex("5300080000610044"))
    return peripheral.hear(parse(reply(command, code, b"", block)), time.monotonic())


def test_what_may_come_without_a_mac() -> None:
    assert heard(PDID, 0, ID)
    assert heard(CCRYPT, 0x12, CHLNG)
    assert heard(0x78, 0x14, SCRYPT)
    assert heard(RAW, 0x18, POLL)
    assert heard(RAW, 0x16, POLL)
    for block in (0x12, 0x14):
        assert not heard(CCRYPT if block == 0x14 else 0x78, block, CHLNG)
    assert not heard(CCRYPT, 0x12, POLL)
    for block in (0, 0x11, 0x12, 0x13, 0x14, 0x15, 0x17, 0x19):
        for code in (RAW, KEYPAD, 0x48, 0x51, 0x40):
            assert not heard(code, block, POLL)
    assert heard(RAW, 0, POLL, key=None)


def test_a_reader_with_a_card_at_each_poll_is_believed_after_a_while() -> None:
    """A card left lying there must not keep the door shut for ever."""
    peripheral = Peripheral(0, None, asked=POLL, inbox=deque())
    command = parse(bytes.fromhex("5300080000610044"))
    peripheral.begin_session(100.0, {}, 0, False)
    told = []
    for tenth in range(80):
        peripheral.hear(parse(reply(command, RAW, CARD)), 100.0 + tenth / 10)
        peripheral.tell(Bits(26, CARD[4:]))
        told += [isinstance(one, Bits) for one in peripheral.taken()]
    assert told == [False] * 51 + [True] * 29


def test_who_answers_busy_for_ever_is_lost(bus: Bus, key_file: Path) -> None:
    device = bus.reader()
    reader = opened(bus, key_file)
    assert shown(reader, device, 1) == ["w26:61-1"]
    bus.remove(0)
    busy = bytes((SOM, 0x80, 8, 0, 0x04, BUSY))  # in clear and without a sequence, as the standard has it
    bus.on_command = lambda _data: bus.send(busy + crc_hqx(busy, 0x1D0F).to_bytes(2, "little"))
    with pytest.raises(DeviceLost):
        read_until(reader, lambda _: False)
    reader.close()


def test_cards_that_nobody_fetches_are_counted_not_kept() -> None:
    peripheral = Peripheral(0, None, up=True, settled=True)
    peripheral.tell(Bits(26, b"\x00" * 4))
    peripheral.inbox = deque()
    for _ in range(200):
        peripheral.tell(Bits(26, b"\x00" * 4))
    *kept, last = peripheral.taken()
    assert kept == [Bits(26, b"\x00" * 4)] * 64
    assert isinstance(last, BadFrame)
    assert last.reason == "overflow"
    assert peripheral.taken() == []
