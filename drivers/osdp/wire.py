"""The channel through which libosdp reads and writes: whole frames in, and no exception ever out.

The rule: libosdp's wheel does not join a frame that came in pieces, so it gets whole ones, and only replies of the
peripheral that was asked. An exception or a short write would cost a reader 300 s: a fault is kept for whoever drives
the line, and every write counts as done.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress

from drivers.osdp.frames import SOM, Frame, FrameFinder, parse
from drivers.osdp.peripheral import Peripheral
from drivers.serial_port import SerialPort
from gateway.errors import BadFrame, DeviceLost


class Wire:
    """libosdp's channel of one line. `port` is None while the line has none."""

    id = 1  # to libosdp 0 would mean that nobody has the line, and all would speak at once

    def __init__(self) -> None:
        self.port: SerialPort | None = None
        self.fault: DeviceLost | None = None  # met inside libosdp, to be raised outside
        self.peripherals: Mapping[int, Peripheral] = {}  # by address
        self._finder = FrameFinder()
        self._frame = b""
        self._asked: Peripheral | None = None  # whose reply is awaited

    def receive(self) -> None:
        """Wait a moment for bytes; keep the reply that they complete. Raises `DeviceLost`."""
        if self.port is None:
            return
        for found in self._finder.feed(self.port.receive()):
            if isinstance(found, BadFrame):
                self._count(found)
            elif self._is_awaited(found):
                self._frame = found.raw

    def _is_awaited(self, frame: Frame) -> bool:
        """Not the echo of our own command, nor a late reply of another."""
        asked = self._asked
        if asked is None or not frame.is_reply or frame.address != asked.address:
            return False
        return asked.hear(frame, time.monotonic())

    def _count(self, fault: BadFrame) -> None:
        if self._asked is not None:
            self._asked.put(fault)

    # ── what libosdp calls ────────────────────────────────────────────────────────────────────────────────

    def read(self, size: int) -> bytes:
        data, self._frame = self._frame[:size], self._frame[size:]
        return data

    def write(self, data: bytes) -> int:
        self._drop_input()
        try:
            command = parse(data[data.find(SOM) :])
        except BadFrame:
            return len(data)
        asked = self._asked = self.peripherals.get(command.address)
        if asked is not None:
            asked.asked = command.code
        try:
            if self.port is not None:
                self.port.write(data)
        except DeviceLost as error:
            self.fault = error
        return len(data)

    def flush(self) -> None:
        self._drop_input()
        if self.port is not None:
            with suppress(DeviceLost):  # the next read says so
                self.port.discard()

    def _drop_input(self) -> None:
        """A command goes out: what came before is no reply to it."""
        self._frame = b""
        for left in self._finder.silence():
            self._count(left)
