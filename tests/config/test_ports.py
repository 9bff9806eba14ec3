"""What goes together on a serial port, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import registry
from gateway.config import load
from tests.config.writing import SMALL, faults, written

RELAYS = """
[actuators.a]
driver = "modbus-relay"
port = "/dev/ttyUSB1"
address = 2

[actuators.b]
driver = "modbus-relay"
port = "/dev/ttyUSB1"
"""


def test_two_relays_of_one_line_differ_in_channel_or_address_and_agree_on_the_baud(tmp_path: Path) -> None:
    assert load(written(tmp_path, SMALL + RELAYS)).actuators.keys() == {"a", "b"}
    (said,) = faults(tmp_path, SMALL + RELAYS + "address = 2\nchannel = 1\n")
    assert "actuators.b.channel: is the same relay as actuators.a; change channel / address, or let" in said
    (said,) = faults(tmp_path, SMALL + RELAYS + "baud = 19200\n")
    assert "actuators.b.baud: 19200 is not the baud of actuators.a, 9600" in said


STRANGE = """
from drivers.actuators.lcus1 import connect
from drivers.serial_port import SerialOptions

SHARES_PORT = "strange"


class Options(SerialOptions):
    unit: int = 1
"""


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A driver in a package of its own."""
    package = tmp_path / "strange-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1\n", encoding="utf-8")
    (package / "entry_points.txt").write_text("[compound_gateway.actuators]\nstrange = strange\n", encoding="utf-8")
    (tmp_path / "strange.py").write_text(STRANGE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    registry._found.cache_clear()
    yield
    registry._found.cache_clear()


@pytest.mark.usefixtures("strange")
def test_devices_of_a_line_are_told_apart_by_what_their_driver_says(tmp_path: Path) -> None:
    """Not by keys that the program knows: a driver in a package of its own has others."""
    boards = RELAYS.replace("modbus-relay", "lcus1").replace("address = 2", "")
    (said,) = faults(tmp_path, SMALL + boards)
    assert "actuators.b.channel: is the same relay as actuators.a; change channel, or let" in said
    strange = RELAYS.replace("modbus-relay", "strange").replace("address = 2", "unit = 2")
    assert load(written(tmp_path, SMALL + strange)).actuators.keys() == {"a", "b"}
    (said,) = faults(tmp_path, SMALL + strange + "unit = 2\n")
    assert "is the same relay as actuators.a" in said


def test_a_port_under_two_names_is_one_port(tmp_path: Path) -> None:
    (tmp_path / "by-id").symlink_to("/dev/ttyUSB0")
    reader = f'\n[readers.b]\ndriver = "em18"\npoint = "east-door"\nport = "{tmp_path}/by-id"\n'
    (said,) = faults(tmp_path, SMALL + reader)
    assert "readers.b.port" in said
    assert "is used by readers.east-reader" in said


READERS = """
[readers.a]
driver = "modbus-reader"
port = "/dev/ttyUSB1"
point = "east-door"
first_register = 6
count = 4
format = "hex"

[readers.b]
driver = "modbus-reader"
port = "/dev/ttyUSB1"
point = "east-door"
first_register = 6
count = 4
format = "hex"
"""
RELAY = '\n[actuators.c]\ndriver = "{driver}"\nport = "/dev/ttyUSB1"\n'


def test_readers_of_one_line_differ_in_address_or_register(tmp_path: Path) -> None:
    (said,) = faults(tmp_path, SMALL + READERS + "poll_s = 0.3\n")
    assert "readers.b.address: is the same reader as readers.a; change address / function / first_register" in said
    for other in ("address = 2", "function = 4"):
        assert load(written(tmp_path, SMALL + READERS + other + "\n")).readers.keys() >= {"a", "b"}


def test_a_modbus_line_carries_readers_and_relays_and_nothing_else(tmp_path: Path) -> None:
    two = SMALL + READERS + "address = 2\n"
    assert load(written(tmp_path, two + RELAY.format(driver="modbus-relay"))).actuators.keys() == {"c"}
    (said,) = faults(tmp_path, two + RELAY.format(driver="lcus1"))
    assert "actuators.c.port: /dev/ttyUSB1 is used by readers.a" in said
    (said,) = faults(tmp_path, two + RELAY.format(driver="modbus-relay") + "baud = 19200\n")
    assert "actuators.c.baud: 19200 is not the baud of readers.a, 9600" in said


def test_what_a_modbus_reader_misses_or_misspells_is_named(tmp_path: Path) -> None:
    said = faults(tmp_path, SMALL + READERS.replace("first_register = 6\ncount", "first_registr = 6\ncount"))
    assert any("readers.a.first_registr: unknown key" in line and "first_register" in line for line in said), said
    said = faults(tmp_path, SMALL + READERS + "address = 2\nflag = 3\nlatched = true\n")
    assert any("readers.b" in line and "only one of latched, counter and flag" in line for line in said), said


@pytest.mark.parametrize("hold", ["0", "0.5"])
def test_a_card_lying_at_a_polled_reader_must_not_count_at_each_look(tmp_path: Path, hold: str) -> None:
    reader = '\n[readers.p]\ndriver = "pn532"\nport = "/dev/ttyUSB9"\npoint = "east-door"\npoll_s = 0.3\n'
    assert load(written(tmp_path, SMALL + reader)).readers["p"].options["poll_s"] == 0.3
    (said,) = faults(tmp_path, SMALL + reader + f"hold_s = {hold}\n")
    assert f"readers.p.hold_s: {hold} is less than twice poll_s (0.3)" in said
