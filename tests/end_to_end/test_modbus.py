"""A Modbus reader and a Modbus relay on one line: a card in the registers opens the door."""

from __future__ import annotations

import time
from pathlib import Path

from tests.house import HEAD, ROSTER, UPLINK, House, Subscriber
from tests.readers.emulated import ModbusLine
from tests.real import Mosquitto, wait_until
from tests.wire import Tty

DOOR = """
[points.east-door]
name = "东门人行1"
kind = "pedestrian"
direction = "in"
actuator = "east-relay"
open_s = 0.5

[readers.east-reader]
driver = "modbus-reader"
port = "{port}"
point = "east-door"
address = 1
first_register = 6
count = 4
format = "em4100"

[actuators.east-relay]
driver = "modbus-relay"
port = "{port}"
address = 2
"""
KNOWN, UNKNOWN = bytes.fromhex("00000062E3086CED"), bytes.fromhex("0000000B00C0FFEE")


def test_a_card_in_the_registers_opens_the_door(tmp_path: Path, broker: Mosquitto) -> None:
    with Tty() as tty, ModbusLine(tty, addresses=(1, 2)) as line:
        line.show(KNOWN)  # from long ago
        house = House(tmp_path, HEAD + DOOR.format(port=tty.path) + UPLINK.format(port=broker.port))
        (tmp_path / "roster.csv").write_text(ROSTER, encoding="utf-8")
        house.command("roster", "import", str(tmp_path / "roster.csv"))
        with Subscriber(broker.port) as platform, house:
            house.wait_online("reader")
            house.wait_online("actuator")
            time.sleep(0.5)
            assert platform.events("access") == []
            line.show(bytes(8))
            time.sleep(0.5)
            line.show(KNOWN)
            wait_until(lambda: line.coils[2][0], 2, "the relay is on")
            wait_until(lambda: not line.coils[2][0], 3, "and off again")
            line.show(UNKNOWN)
            wait_until(lambda: len(platform.events("access")) == 2)
            granted, denied = platform.events("access")
            assert (granted["type"], granted["data"]["opened"]) == ("compound.access.granted.v1", True)
            assert (denied["type"], denied["data"]["device"]) == ("compound.access.denied.v1", "east-reader")
            assert not line.coils[2][0]
            assert not [name for name in house.status()["counters"] if ".bad." in name]
            assert house.stop() == 0
