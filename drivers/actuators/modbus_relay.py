"""Relay boards on Modbus RTU (Waveshare and many others), 9600 baud 8N1, function 05 "write single coil".

    01       05        00 00      FF 00 / 00 00   8C 3A         the reply is the same eight bytes
    address  function  relay - 1  on / off        CRC, low byte first

The rule: an order counts only when its echo came back. A board that refuses answers 85 and a code. On a two-wire
adapter that echoes its own sending this proves the cable, not the board: switch that echo off.
"""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import Field

from drivers.serial_port import SerialOptions, SerialPort
from drivers.shared_port import SharedPort
from gateway.errors import BadFrame, DeviceLost
from gateway.text import Text

SHARES_PORT = True  # one line, several boards and relays
_WRITE_COIL = 0x05
_REFUSED = 0x80
_REPLY_S = 0.4
_REFUSAL_LENGTH = 5
_LONGEST = 64  # bytes of a reply looked at


class Options(SerialOptions):
    channel: Annotated[int, Field(ge=1, le=256)] = 1  # as printed on the board: relay 1 is coil 0
    address: Annotated[int, Field(ge=1, le=247)] = 1


def crc(data: bytes) -> bytes:
    """CRC-16/Modbus, low byte first."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def order(address: int, channel: int, on: bool) -> bytes:
    """The bytes that switch a relay."""
    body = bytes((address, _WRITE_COIL)) + (channel - 1).to_bytes(2) + (b"\xff\x00" if on else b"\x00\x00")
    return body + crc(body)


def confirm(request: bytes, reply: bytes) -> bool:
    """Whether a reply confirms; False while it is incomplete. Raises `BadFrame` for any other reply."""
    if reply[: len(request)] == request:
        return True
    if reply[:2] == bytes((request[0], request[1] | _REFUSED)):
        if len(reply) < _REFUSAL_LENGTH:
            return False
        if crc(reply[:3]) == reply[3:_REFUSAL_LENGTH]:
            words = Text("板拒绝，代码 {code}", "the board refuses with code {code}")
            raise BadFrame(words.with_(code=reply[2]), reason="refused")
    if len(reply) < len(request):
        return False
    raise BadFrame(Text("应答与命令不符", "the reply is not the echo of the order"), reason="checksum")


class ModbusRelay:
    """A `gateway.contracts.Actuator`."""

    def __init__(self, port: SharedPort, options: Options) -> None:
        self._port = port
        self._options = options

    def switch(self, on: bool) -> None:
        request = order(self._options.address, self._options.channel, on)
        try:
            with self._port.turn() as port:
                port.discard()
                port.write(request)
                _await_echo(port, request)
        except BadFrame as error:  # out of turn: the line is sound for its other boards
            raise DeviceLost(
                Text("继电器板没有确认：{error}", "the relay board did not confirm: {error}").with_(
                    error=error.message
                ),
                hint=Text("检查地址、通道号和 A/B 接线", "check the address, the channel and the wires A and B"),
            ) from error

    def close(self) -> None:
        self._port.close()


def _await_echo(port: SerialPort, request: bytes) -> None:
    """Raises `BadFrame` where the board does not confirm in time."""
    deadline = time.monotonic() + _REPLY_S
    reply = b""
    while not confirm(request, reply):
        if time.monotonic() > deadline:
            words = Text("应答 {had} 字节，应为 {all}", "{had} of {all} bytes of a reply")
            raise BadFrame(words.with_(had=len(reply), all=len(request)), reason="timeout")
        reply = (reply + port.receive())[:_LONGEST]


def connect(options: Options) -> ModbusRelay:
    """Open the port. Raises `DeviceLost`."""
    return ModbusRelay(SharedPort(options.port, options.baud), options)
