"""Names of ports that lead elsewhere after a replug, as the links in /dev/serial/by-id/ do."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.actuators import osdp_output
from drivers.osdp.peripheral import CHLNG
from drivers.readers import osdp
from gateway.errors import DeviceLost
from tests.osdp.bus import Bus
from tests.osdp.reading import opened, read_until, shown

OUT = 1  # libosdp's number of the command


def test_adapters_that_swap_their_ttys_keep_their_readers(tmp_path: Path, key_file: Path) -> None:
    """A line is known by its tty: it must open that one, not the name of whoever had it before, and may have it yet."""
    first, second = tmp_path / "first", tmp_path / "second"
    with Bus() as one, Bus() as other:
        device = other.reader()
        one.reader()
        for bus, link in ((one, first), (other, second)):
            link.symlink_to(bus.path)
            opened(bus, key_file, port=str(link)).close()
        through = osdp.Options(port=str(second), scbk_file=key_file)
        lock = osdp_output.connect(osdp_output.Options(reader="second"), through)  # looks at it every 5 s only
        other.unplug()
        with pytest.raises(DeviceLost):
            lock.switch(on=False)
        other.plug()  # the tty has its number again
        for bus, link in ((other, first), (one, second)):
            link.unlink()
            link.symlink_to(bus.path)
        reader = opened(other, key_file, port=str(first))
        assert shown(reader, device, 7) == ["w26:61-7"]
        for each in (reader, lock):
            each.close()


def test_an_output_from_before_a_replug_gives_no_order(tmp_path: Path, key_file: Path) -> None:
    """The line may lead to another door by now."""
    link = tmp_path / "adapter"
    with Bus() as bus:
        device = bus.reader()
        link.symlink_to(bus.path)
        options = osdp.Options(port=str(link), scbk_file=key_file)
        reader, lock = osdp.connect(options), osdp_output.connect(osdp_output.Options(reader="east"), options)
        bus.unplug()
        with pytest.raises(DeviceLost):
            read_until(reader, lambda _: False)
        reader.close()
        bus.plug()
        link.unlink()
        link.symlink_to(bus.path)
        reader = opened(bus, key_file, port=str(link))
        sessions = bus.sent_codes().count(CHLNG)
        with pytest.raises(DeviceLost):
            lock.switch(on=True)
        assert shown(reader, device, 7) == ["w26:61-7"]
        assert not [command for command in device.commands() if command.get("command") == OUT]
        assert bus.sent_codes().count(CHLNG) == sessions, "it was sent, and taken back by an end of all sessions"
        for each in (reader, lock):
            each.close()
