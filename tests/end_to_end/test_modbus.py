"""A Modbus reader and a Modbus relay on one line: a card in the registers opens the door."""

from __future__ import annotations

import time
from pathlib import Path

from drivers.modbus_rtu import WRITE_COIL, request
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
SWITCH_ON, SWITCH_OFF = (request(2, WRITE_COIL, 0, value) for value in (0xFF00, 0))
KNOWN, UNKNOWN = bytes.fromhex("00000062E3086CED"), bytes.fromhex("0000000B00C0FFEE")


def wait_until_looked(line: ModbusLine) -> None:
    """Until the reader has seen what lies in its registers now."""
    asked = len(line.asked)
    wait_until(lambda: sum(question[0] == 1 for question in line.asked[asked:]) >= 2)


def test_a_card_in_the_registers_opens_the_door(tmp_path: Path, broker: Mosquitto) -> None:
    with Tty() as tty, ModbusLine(tty, addresses=(1, 2)) as line:
        line.show(KNOWN)  # from long ago
        house = House(tmp_path, HEAD + DOOR.format(port=tty.path) + UPLINK.format(port=broker.port))
        (tmp_path / "roster.csv").write_text(ROSTER, encoding="utf-8")
        house.command("roster", "import", str(tmp_path / "roster.csv"))
        with Subscriber(broker.port) as platform, house:
            house.wait_online("reader")
            house.wait_online("actuator")
            wait_until_looked(line)
            time.sleep(0.5)
            assert platform.events("access") == []
            line.show(bytes(8))
            wait_until_looked(line)
            line.show(KNOWN)
            wait_until(lambda: SWITCH_ON in line.asked, what="the relay is switched on")
            wait_until(lambda: SWITCH_OFF in line.asked[line.asked.index(SWITCH_ON) :], what="and off again")
            line.show(UNKNOWN)
            wait_until(lambda: len(platform.events("access")) == 2)
            granted, denied = platform.events("access")
            assert (granted["type"], granted["data"]["opened"]) == ("compound.access.granted.v1", True)
            assert (denied["type"], denied["data"]["device"]) == ("compound.access.denied.v1", "east-reader")
            assert not line.coils[2][0]
            assert not [name for name in house.status()["counters"] if ".bad." in name]
            assert house.stop() == 0
