"""Polled readers on the other end of a tty: a PN532, a YHY module and a Modbus line, with a power switch.

Each answers as its maker's manual has it; `spoil` stands for what a wire does to an answer.
"""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import reduce
from operator import xor
from types import TracebackType
from typing import Self

from drivers.modbus_rtu import crc
from tests.wire import Tty


class Emulated(ABC):
    """Serves the tty on a thread of its own."""

    def __init__(self, device: Tty) -> None:
        self.card: bytes | None = None
        self.asked: list[bytes] = []
        self.spoil: Callable[[bytes], list[bytes]] = lambda answer: [answer]
        self.pause_s = 0.0  # between the pieces that `spoil` makes
        self.path = device.path
        self._device = device
        self._powered = threading.Event()
        self._powered.set()
        self._stop = threading.Event()
        self._heard = b""
        self._thread = threading.Thread(target=self._serve)

    def power(self, on: bool) -> None:
        if on:
            self.start_up()
            self._powered.set()
        else:
            self._powered.clear()

    def start_up(self) -> None:
        """Begin anew, as power does."""
        self._heard = b""

    @abstractmethod
    def answers(self, heard: bytes) -> tuple[list[bytes], bytes]:
        """What is said to the whole questions in these bytes, and the rest of the bytes."""

    def _serve(self) -> None:
        while not self._stop.is_set():
            heard = self._device.heard(0.05)
            if not heard or not self._powered.is_set():
                self._heard = b""
                continue
            said, self._heard = self.answers(self._heard + heard)
            for answer in said:
                for piece in self.spoil(answer):
                    if piece:
                        self._device.send(piece)
                    self._stop.wait(self.pause_s)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()


class Pn532Chip(Emulated):
    """Asleep after power-on until 55 comes, deaf until SAMConfiguration; by itself it waits for a card for ever."""

    def __init__(self, device: Tty) -> None:
        super().__init__(device)
        self.ic = 0x32
        self.ats = b""
        self.start_up()

    def start_up(self) -> None:
        super().start_up()
        self._awake = self._ready = False
        self._retries = 0xFF

    def answers(self, heard: bytes) -> tuple[list[bytes], bytes]:
        if not self._awake and b"\x55" not in heard:
            return [], b""
        self._awake = True
        said: list[bytes] = []
        while (found := re.search(rb"\x00\x00\xff(.)(.)", heard, re.DOTALL)) and len(heard) >= found.end() + found[1][
            0
        ] + 2:
            body = heard[found.end() : found.end() + found[1][0]]
            self.asked.append(body)
            said += self._obey(body[1], body[2:])
            heard = heard[found.end() + found[1][0] + 2 :]
        return said, heard

    def _obey(self, command: int, data: bytes) -> list[bytes]:
        self._ready = self._ready or command == 0x14
        if not self._ready:
            return []
        answer: bytes | None = b""
        match command:
            case 0x02:
                answer = bytes((self.ic, 1, 6, 7))
            case 0x32:
                self._retries = data[3]
            case 0x4A if self.card is None:
                answer = b"\x00" if self._retries != 0xFF else None
            case 0x4A:
                answer = b"\x01\x01\x00\x04\x08" + bytes((len(self.card),)) + self.card + self.ats
        ack = [b"\x00\x00\xff\x00\xff\x00"]
        return ack if answer is None else [*ack, self.frame(bytes((0xD5, command + 1)) + answer)]

    @staticmethod
    def frame(body: bytes) -> bytes:
        return b"\x00\x00\xff" + bytes((len(body), 256 - len(body))) + body + bytes((-sum(body) & 0xFF, 0))


class YhyModule(Emulated):
    knows_sense_mode = True

    def answers(self, heard: bytes) -> tuple[list[bytes], bytes]:
        said = []
        while (at := heard.find(b"\xaa\xbb")) >= 0 and len(heard) >= at + 4 and len(heard) >= at + 3 + heard[at + 2]:
            body, heard = heard[at + 2 : at + 3 + heard[at + 2]], heard[at + 3 + heard[at + 2] :]
            self.asked.append(body)
            assert reduce(xor, body) == 0
            if body[1] == 0x20:
                said.append(self.frame(b"\xdf" if self.card is None else b"\x20" + self.card))
            elif body[1] == 0x13 and self.knows_sense_mode:
                said.append(self.frame(b"\x13"))
        return said, heard

    @staticmethod
    def frame(carried: bytes) -> bytes:
        body = bytes((len(carried) + 1,)) + carried
        body += bytes((reduce(xor, body),))
        return b"\xaa\xbb" + body.replace(b"\xaa", b"\xaa\x00")


class ModbusLine(Emulated):
    """Boards by address, each with registers and coils; a relay is a coil that can be written."""

    def __init__(self, device: Tty, addresses: tuple[int, ...] = (1,)) -> None:
        super().__init__(device)
        self.registers: dict[int, dict[int, int]] = {address: dict.fromkeys(range(16), 0) for address in addresses}
        self.coils: dict[int, dict[int, bool]] = {address: {0: False, 1016: False} for address in addresses}
        self.echoes = False  # as a two-wire adapter may
        self.refuses_orders = False

    def show(self, number: bytes, at: int = 6, address: int = 1) -> None:
        """Into the registers; zeros take it out again."""
        pairs = range(0, len(number), 2)
        shown = {at + offset // 2: int.from_bytes(number[offset : offset + 2]) for offset in pairs}
        self.registers[address].update(shown)  # at once: who asks meanwhile gets no half of it

    def answers(self, heard: bytes) -> tuple[list[bytes], bytes]:
        said = []
        while len(heard) >= 8:
            question, heard = heard[:8], heard[8:]
            assert crc(question[:6]) == question[6:]
            self.asked.append(question)
            if self.echoes:
                said.append(question)
            if question[0] in self.registers:
                said.append(self._answer(question))
        return [answer for answer in said if answer], heard

    def _answer(self, question: bytes) -> bytes:
        address, function = question[0], question[1]
        at, value = int.from_bytes(question[2:4]), int.from_bytes(question[4:6])
        registers, coils = self.registers[address].copy(), self.coils[address]
        known = all(
            n in (coils if function in (1, 5) else registers) for n in range(at, at + (value if function < 5 else 1))
        )
        if not known or (function >= 5 and self.refuses_orders):
            body = bytes((address, function | 0x80, 2))
        elif function in (3, 4):
            body = bytes((address, function, 2 * value)) + b"".join(
                registers[n].to_bytes(2) for n in range(at, at + value)
            )
        elif function == 1:
            body = bytes((address, function, 1, coils[at]))
        else:
            if function == 5:
                coils[at] = bool(value)
            else:
                self.registers[address][at] = value
            return question
        return body + crc(body)
