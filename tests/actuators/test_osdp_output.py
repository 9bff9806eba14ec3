"""Outputs of OSDP readers: orders as the reader sees them, and readers that do not confirm."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from drivers.actuators import osdp_output
from drivers.osdp import share
from drivers.osdp.peripheral import SCRYPT
from drivers.readers import osdp
from gateway import doorkeeper
from gateway.errors import DeviceLost
from tests.osdp.bus import KEY, Bus
from tests.osdp.reading import read_until, shown
from tests.standstill import awake

OUT = 1


@pytest.fixture
def reader(bus: Bus, tmp_path: Path) -> osdp.Options:
    (tmp_path / "key").write_text(KEY)
    return osdp.Options(port=bus.path, scbk_file=tmp_path / "key")


def opened(reader: osdp.Options, output: int = 0) -> osdp_output.OsdpOutput:
    return osdp_output.connect(osdp_output.Options(reader="east", output=output), reader)


def seen(command: dict[str, Any]) -> tuple[int, int, int]:
    assert command["command"] == OUT
    return command["output_no"], command["control_code"], command["timer_count"]


def test_orders_reach_the_reader_before_switch_returns(bus: Bus, reader: osdp.Options) -> None:
    device = bus.reader()
    relay = opened(reader, output=1)
    for on, expected in ((False, (1, 1, 0)), (True, (1, 5, 255)), (False, (1, 1, 0))):
        relay.switch(on)
        returned = time.monotonic()
        command = device.command()
        assert seen(command) == expected
        assert command["at"] <= returned
    relay.close()
    relay.close()


def test_a_reader_that_knows_no_time_is_switched_on_until_it_is_told_off(bus: Bus, reader: osdp.Options) -> None:
    device = bus.reader(level=1)
    relay = opened(reader)
    relay.switch(on=True)
    assert seen(device.command()) == (0, 2, 0)
    relay.close()


def test_a_card_and_an_output_of_one_reader(bus: Bus, reader: osdp.Options) -> None:
    device = bus.reader()
    cards = osdp.connect(reader)
    relay = opened(reader)
    assert shown(cards, device, 1) == ["w26:61-1"]
    relay.switch(on=True)
    assert seen(device.command()) == (0, 5, 255)
    assert shown(cards, device, 2) == ["w26:61-2"]
    cards.close()
    relay.switch(on=False)
    assert seen(device.command()) == (0, 1, 0)
    relay.close()


@pytest.mark.parametrize(("level", "output"), [(0, 0), (4, 2)])
def test_an_output_that_is_not_there(bus: Bus, reader: osdp.Options, level: int, output: int) -> None:
    bus.reader(level=level)
    with pytest.raises(DeviceLost, match=f"no output {output}") as caught:
        opened(reader, output)
    assert "counted from 0" in str(caught.value.hint)


def test_no_order_is_confirmed_after_the_door_has_given_it_up() -> None:
    assert share._CONFIRM_S < doorkeeper.ANSWER_S


def test_an_order_to_close_that_is_late_costs_no_reader_its_session(
    bus: Bus, reader: osdp.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = bus.reader()
    cards = osdp.connect(reader)
    relay = opened(reader)
    assert shown(cards, device, 1) == ["w26:61-1"]
    sessions = bus.sent_codes().count(SCRYPT)
    monkeypatch.setattr(share, "_CONFIRM_S", 0.0)  # a slow line
    with pytest.raises(DeviceLost, match="did not confirm"):
        relay.switch(on=False)
    read_until(cards, lambda _: False, 1.0)
    assert seen(device.command()) == (0, 1, 0)
    assert bus.sent_codes().count(SCRYPT) == sessions
    assert shown(cards, device, 2) == ["w26:61-2"]
    cards.close()
    relay.close()


def test_a_reader_that_does_not_confirm_is_lost_and_its_door_does_not_open_later(
    bus: Bus, reader: osdp.Options
) -> None:
    """libosdp would send the order again for nine seconds."""
    bus.reader()
    cards = osdp.connect(reader)
    relay = opened(reader)
    bus.remove(0)
    sent = bus.sent_codes().count(0x68)
    start = awake()
    with pytest.raises(DeviceLost, match="did not confirm"):
        relay.switch(on=True)
    assert awake() - start < 1.0
    relay.close()
    device = bus.reader()
    with suppress(DeviceLost):  # it is back so soon that its cards may never be missed
        read_until(cards, lambda _: False, 2.5)
    cards.close()
    again = None
    deadline = awake() + 60.0
    while again is None and awake() < deadline:
        try:
            again = opened(reader)
        except DeviceLost:
            time.sleep(0.2)
    assert again is not None
    assert bus.sent_codes().count(0x68) - sent <= 1
    assert not [command for command in device.commands() if command.get("command") == OUT]
    again.switch(on=False)
    assert seen(device.command()) == (0, 1, 0)
    again.close()
