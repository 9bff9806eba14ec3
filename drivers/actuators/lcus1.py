"""LCUS relay boards on USB (LCUS-1 and its kin with up to 16 relays), 9600 baud 8N1.

    A0   01       01        A2         the board never answers
    head channel  on / off  sum mod 256

The rule: an order that was written is all that can be known. Nothing here may claim that a door has opened.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivers.serial_port import SerialOptions
from drivers.shared_port import SharedPort

SHARES_PORT = "lcus1"  # one board, several relays
TOLD_APART_BY = ("channel",)
_HEAD = 0xA0


class Options(SerialOptions):
    channel: Annotated[int, Field(ge=1, le=16)] = 1  # as printed on the board
    address: Literal[1] = 1  # the board is alone on its cable


def order(channel: int, on: bool) -> bytes:
    """The bytes that switch a relay."""
    body = bytes((_HEAD, channel, int(on)))
    return body + bytes((sum(body) % 256,))


class Lcus1:
    """A `gateway.contracts.Actuator`."""

    def __init__(self, port: SharedPort, channel: int) -> None:
        self._port = port
        self._channel = channel

    def switch(self, on: bool) -> None:
        with self._port.turn() as port:
            port.write(order(self._channel, on))

    def close(self) -> None:
        self._port.close()


def connect(options: Options) -> Lcus1:
    """Open the board. Raises `DeviceLost`."""
    return Lcus1(SharedPort(options.port, options.baud), options.channel)
