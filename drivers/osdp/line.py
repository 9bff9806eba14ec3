"""One RS-485 line with OSDP peripherals, driven by whoever waits for one of them. The only importer of libosdp.

The rule: there is no thread here. Several readers wait at once, one of them drives the line for all until its own wait
is over, and the next takes over; nobody but the driver touches libosdp. One dead address is lost alone, a dead port is
lost for all, and libosdp's panel outlives both.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from typing import Any

from drivers.osdp.peripheral import Bits, Order, Peripheral
from drivers.osdp.wire import Wire
from drivers.serial_port import SerialPort
from gateway.errors import BadFrame, DeviceLost
from gateway.text import Text

_TICK_S = 0.005  # how long the driver waits for bytes
_STATES = 3  # of libosdp from a reply to the next command: done, chosen, sent
_CLOCK_BACK_S = 0.5  # libosdp measures by the clock of the day, and would be silent until it is as late again
_MOST = 32  # addresses; libosdp's own word on who is there has no more bits
LIBRARY = "osdp_sys"  # of the package libosdp; its other module, osdp, brings threads and queues that grow for ever
_DONE = 0  # how a command ended well
_LOCAL = 2  # kind of status report: the peripheral's own tamper and power
_OUTPUTS, _TIMED = 2, (3, 4)  # the capability, and the levels of it that know a time


class _Event(IntEnum):
    """What libosdp tells."""

    CARD = 1
    KEYS = 2
    STATUS = 4
    NOTE = 5


class _Note(IntEnum):
    """What libosdp tells of a session."""

    CHANNEL = 1
    SESSION = 2


class Line:
    """A port and the peripherals on it."""

    def __init__(self, port: str, baud: int) -> None:
        self.baud = baud
        self.users = 0
        self.age = 0  # grows with each loss of the port: whoever joined before is lost with it
        self._name = port
        self._turn = threading.Condition()
        self._driven = False
        self._news = False  # something came that another may wait for
        self._seats: dict[int, Peripheral] = {}
        self._jobs: deque[Callable[[], None]] = deque()  # for the driver
        self._wire = Wire()
        self._panel: Any = None  # libosdp's
        self._outdated = True  # the panel does not fit the seats
        self._members: Sequence[Peripheral] = ()  # of the panel, as it counts them
        self._clock = _clock()

    def seat(self, address: int, key: bytes | None) -> Peripheral:
        """The peripheral at an address, put on the line where it is new or has another key. Raises `DeviceLost`."""
        with self._turn:
            known = self._seats.get(address)
            if known is not None and known.key == key:
                return known
            if known is None and len(self._seats) == _MOST:
                words = Text("一条线路最多 {most} 个地址", "a line has at most {most} addresses")
                raise DeviceLost(words.with_(most=_MOST))
            self._seats[address] = Peripheral(address, key)
            self._outdated = True
            return self._seats[address]

    def wait(self, done: Callable[[], bool], seconds: float, age: int) -> None:
        """Until `done` or for so long, driving the line where nobody does. Raises `DeviceLost` with the port."""
        deadline = time.monotonic() + seconds
        with self._turn:
            while not done() and (left := deadline - time.monotonic()) > 0:
                if age != self.age:
                    words = Text("串口 {port} 已断开", "serial port {port} is lost")
                    raise DeviceLost(words.with_(port=self._name))
                if self._driven:
                    self._turn.wait(left)
                else:
                    self._drive(done, deadline)

    def send(self, peripheral: Peripheral, order: Order) -> None:
        """Have a command sent; its `done` tells how it went."""
        self._jobs.append(partial(self._submit, peripheral, order))

    def give_up(self, peripheral: Peripheral, order: Order) -> None:
        """Have it never sent from now on: by itself libosdp would send it again for nine seconds."""
        self._jobs.append(partial(self._forget, peripheral, order))

    def close(self) -> None:
        """Nobody is left: give the port back."""
        with self._turn:
            self._lose_port()

    # ── driving: one thread at a time, the lock being free while a step goes on ───────────────────────────────

    def _drive(self, done: Callable[[], bool], deadline: float) -> None:
        self._driven = True
        try:
            while not done() and time.monotonic() < deadline:
                self._turn.release()
                try:
                    self._step()
                finally:
                    self._turn.acquire()
                if self._news:
                    self._news = False
                    self._turn.notify_all()
        except DeviceLost:
            self._lose_port()
            raise
        finally:
            self._driven = False
            self._turn.notify_all()

    def _lose_port(self) -> None:
        self.age += 1
        port, self._wire.port, self._wire.fault = self._wire.port, None, None
        for member in self._members:
            member.lose_port()
        if port is not None:
            port.close()

    def _step(self) -> None:
        """Take what came, let libosdp answer it. Raises `DeviceLost` where the port is lost."""
        self._wire.port = self._wire.port or SerialPort(self._name, self.baud, wait_s=_TICK_S)
        self._wire.receive()
        self._mind_the_clock()
        if self._outdated:
            self._build()
        while self._jobs:
            self._jobs.popleft()()
        for index, member in enumerate(self._members):
            if member.restart_at is not None and time.monotonic() >= member.restart_at:
                self._restart(index, member)
        for _ in range(_STATES):
            self._panel.refresh()
        if self._wire.fault is not None:
            raise self._wire.fault

    def _mind_the_clock(self) -> None:
        before, self._clock = self._clock, _clock()
        if before - self._clock > _CLOCK_BACK_S:
            self._outdated = True

    def _restart(self, index: int, member: Peripheral) -> None:
        """Take it out and in again: by itself libosdp would let 300 s pass."""
        if self._panel.is_pd_enabled(index):
            self._panel.disable_pd(index)  # done by the next refresh, or a later one
        else:
            self._panel.enable_pd(index)
            member.restart_at = None

    # ── libosdp ───────────────────────────────────────────────────────────────────────────────────────────────

    def _build(self) -> None:
        """A panel of everyone who has a seat, as libosdp takes in nobody later. Their sessions begin anew."""
        import osdp_sys  # not before it is needed: a compound without OSDP does without

        self._outdated = False
        seats = dict(self._seats)
        for member in (*self._members, *seats.values()):
            member.begin_anew()
        self._panel = None  # the old one goes before the new one speaks
        self._members, self._wire.peripherals = list(seats.values()), seats
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
        self._panel = osdp_sys.ControlPanel([self._introduced(member, osdp_sys) for member in self._members])
        self._panel.set_event_callback(self._take)
        self._panel.set_command_completion_callback(self._complete)

    def _introduced(self, member: Peripheral, osdp: Any) -> dict[str, Any]:
        secure = osdp.FLAG_ENFORCE_SECURE if member.key is not None else 0
        return {
            "name": f"PD-{member.address}",
            "address": member.address,
            "flags": osdp.FLAG_ENABLE_NOTIFICATION | osdp.FLAG_IGN_UNSOLICITED | secure,
            "scbk": member.key,
            "channel": self._wire,
        }

    def _take(self, index: int, event: dict[str, Any]) -> None:
        """What libosdp tells, within `refresh`."""
        member = self._members[index]
        match event:
            case {"event": _Event.CARD, "length": int(size), "data": bytes(data)}:
                member.tell(Bits(size, data))
            case {"event": _Event.KEYS}:
                member.put(BadFrame("keys were pressed; no PIN is asked for here", reason="keypad"))
            case {"event": _Event.STATUS, "type": kind, "report": bytes(report)} if kind == _LOCAL:
                member.report(report)
            case {"event": _Event.NOTE, "type": _Note.CHANNEL, "arg0": active, "arg1": default_key}:
                member.secure = bool(active) and not default_key
            case {"event": _Event.NOTE, "type": _Note.SESSION, "arg0": 1}:
                self._greet(index, member)
            case {"event": _Event.NOTE, "type": _Note.SESSION, "arg0": 0}:
                member.end_session(time.monotonic())
        self._news = True
        event.clear()  # libosdp never lets go of it, nor of the card in it

    def _greet(self, index: int, member: Peripheral) -> None:
        level, count = self._panel.check_capability(index, _OUTPUTS)
        member.begin_session(time.monotonic(), self._panel.get_pd_id(index), count, level in _TIMED)

    def _submit(self, member: Peripheral, order: Order) -> None:
        if member in self._members and member.ready:
            member.orders.append(order)
            if self._panel.submit_command(self._members.index(member), dict(order.command)):
                return
            member.orders.remove(order)
        order.done = False

    def _forget(self, member: Peripheral, order: Order) -> None:
        if order in member.orders:  # only a new panel has never heard of it
            self._build()

    def _complete(self, index: int, _command: dict[str, Any], status: int) -> None:
        orders = self._members[index].orders
        if orders:
            orders.popleft().done = status == _DONE
            self._news = True


def _clock() -> float:
    """Grows and shrinks as the clock of the day is set."""
    return time.time() - time.monotonic()
