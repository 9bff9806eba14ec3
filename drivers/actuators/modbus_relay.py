"""Relay boards on Modbus RTU (Waveshare and many others), 9600 baud 8N1, function 05 "write single coil".

    01       05        00 00      FF 00 / 00 00   8C 3A         the reply is the same eight bytes
    address  function  relay - 1  on / off        CRC, low byte first

The rule: an order counts only when its echo came back. A board that refuses answers 85 and a code. On a two-wire
adapter that echoes its own sending this proves the cable, not the board: switch that echo off.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from drivers.dialogue import ask
from drivers.modbus_rtu import WRITE_COIL, Confirmation, request
from drivers.serial_port import SerialOptions
from drivers.shared_port import SharedPort
from gateway.errors import BadFrame, DeviceLost
from gateway.text import Text

SHARES_PORT = "modbus-rtu"  # one line: several boards, their relays, and readers
TOLD_APART_BY = ("channel", "address")
_REPLY_S = 0.4


class Options(SerialOptions):
    channel: Annotated[int, Field(ge=1, le=256)] = 1  # as printed on the board: relay 1 is coil 0
    address: Annotated[int, Field(ge=1, le=247)] = 1


def order(address: int, channel: int, on: bool) -> bytes:
    """The bytes that switch a relay."""
    return request(address, WRITE_COIL, channel - 1, 0xFF00 if on else 0)


class ModbusRelay:
    """A `gateway.contracts.Actuator`."""

    def __init__(self, port: SharedPort, options: Options) -> None:
        self._port = port
        self._options = options

    def switch(self, on: bool) -> None:
        switching = order(self._options.address, self._options.channel, on)
        try:
            with self._port.turn() as port:
                ask(port, switching, Confirmation(switching), _REPLY_S)
        except BadFrame as error:  # out of turn: the line is sound for its other boards
            raise DeviceLost(
                Text("继电器板没有确认：{error}", "the relay board did not confirm: {error}").with_(
                    error=error.message
                ),
                hint=Text("检查地址、通道号和 A/B 接线", "check the address, the channel and the wires A and B"),
            ) from error

    def close(self) -> None:
        self._port.close()


def connect(options: Options) -> ModbusRelay:
    """Open the port. Raises `DeviceLost`."""
    return ModbusRelay(SharedPort(options.port, options.baud), options)
