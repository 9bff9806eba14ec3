"""A decoder that runs, as the recognising process sees it: what it says, checked, and how it is ended.

Rule: whatever is wrong with it is a `CameraGone` with what to report; after `end` nothing of it is left.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from contextlib import suppress
from typing import Final

from gateway.child import ChildGone, how_it_ended, rss_of
from gateway.errors import BadFrame
from gateway.text import Text
from gateway.types import DeviceStatus
from gateway.vision.handover import (
    ORDERS,
    REPORTS,
    Alive,
    Born,
    FromDecoder,
    Lost,
    Opened,
    Over,
    Settled,
    Shown,
    Spoilt,
    Taken,
    Task,
)
from gateway.vision.nursery import DECODER, Nursery
from gateway.vision.slots import COUNT, Slots

STALL_S: Final = 4.0  # a stream that shows nothing for so long is lost
STILLS_STALL_S: Final = 15.0  # a folder on a bad SD card may take so long, and loses nothing by it
BORN_S: Final = 5.0
_QUICK_S, _CALM_S = 0.05, 0.2  # a turn while pictures are on their way, and while none is

_STILL = Text(
    "连续 {n:.0f} 秒没有画面（检查摄像机的供电和网络）", "no picture for {n:.0f} s (check its power and network)"
)
_SLOW = Text(
    "{n:.0f} 秒内打不开（检查网线、供电和码流地址）",
    "does not open within {n:.0f} s (check cable, power and its address)",
)
_UNBORN = Text("解码进程未能启动，稍后重试", "its decoder does not start; it is tried again")
_BROKEN = Text("解码进程输出异常，正在重启", "its decoder says what it cannot mean and is restarted")
_TOO_BIG = Text("解码进程内存达 {size} MiB，正在重启", "its decoder grew to {size} MiB and is restarted")
_ENDED = Text("{who}退出（{code}），正在重启", "{who} ended ({code}) and is restarted")


class CameraGone(Exception):
    """This decoder is over, or has to be; how the camera is now."""

    def __init__(self, status: DeviceStatus, detail: Text | str) -> None:
        super().__init__(str(detail))
        self.status, self.detail = status, detail


class RunningDecoder:
    """From its birth on. `patience` is how long its camera may take to open."""

    def __init__(self, nursery: Nursery, task: Task, patience: float) -> None:
        self.slots = Slots.made()
        self._patience = patience
        self._pipes = nursery.start(self.slots)
        self._pipes.tell(ORDERS.encode(task))
        self._orders: deque[Taken | Settled] = deque()  # bounded by what it lets be in flight
        self._theirs = set(range(COUNT))  # slots that it may write
        self._heard = self._looked = time.monotonic()
        self._pid = 0
        self._pidfd: int | None = None
        self._opened: Opened | None = None
        self.alive = Alive(0, None, resting=False)
        self.was_too_slow = False

    def tell(self, order: Taken | Settled) -> None:
        """To be told at its next turn. From any thread."""
        self._orders.append(order)

    def turn(self) -> list[FromDecoder]:
        """Tell it what is to be told and hear what it says, for a moment. Raises `CameraGone`."""
        while self._orders:
            order = self._orders.popleft()
            if isinstance(order, Taken):
                self._theirs.add(order.slot)
            self._pipes.tell(ORDERS.encode(order))
        try:
            lines = self._pipes.exchange(_CALM_S if len(self._theirs) == COUNT else _QUICK_S)
            messages = [REPORTS.decode(line) for line in lines]
            for message in messages:
                self._believe(message)
        except BadFrame as error:
            raise CameraGone(DeviceStatus.FAULT, _BROKEN) from error
        except ChildGone as gone:
            raise CameraGone(DeviceStatus.FAULT, gone.why) from gone
        at = time.monotonic()
        # What stands still itself cannot hear: a turn that took longer than it may is not the camera's silence.
        self._heard = at if messages else self._heard + max(0.0, at - self._looked - _CALM_S)
        self._looked = at
        self._must_not_stall(at)
        return messages

    def memory(self) -> int:
        """Bytes: its own, and of the pictures between it and us."""
        return rss_of(self._pid) + self.slots.size() if self._pid else 0

    def must_not_grow(self, most: int) -> None:
        if (size := self.memory()) > most:
            raise CameraGone(DeviceStatus.FAULT, _TOO_BIG.with_(size=size >> 20))

    def end(self) -> None:
        """End it, whatever it is doing."""
        if self._pidfd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
        self._pipes.close()
        self.slots.close()

    def _believe(self, message: FromDecoder) -> None:
        """Take note of a message. Raises `BadFrame` for what it cannot say now, `CameraGone` for its last word."""
        match message:
            case Born(pid=pid) if not self._pid:
                self._pid = pid
                with suppress(OSError):  # it may have ended by now
                    self._pidfd = os.pidfd_open(pid)
            case Opened() if self._opened is None:
                self._opened = message
            case Alive() if self._opened:
                self.alive = message
            case Shown(slot=slot) if self._opened and slot in self._theirs:
                self._theirs.discard(slot)
            case Spoilt() if self._opened and self._opened.stills and 0 in self._theirs:
                self._theirs.discard(0)
            case Lost(detail=detail, fault=fault):
                raise CameraGone(DeviceStatus.FAULT if fault else DeviceStatus.OFFLINE, detail)
            case Over(code=code):
                raise CameraGone(DeviceStatus.FAULT, _ENDED.with_(who=DECODER, code=how_it_ended(code)))
            case _:
                raise BadFrame(f"{type(message).__name__} is not to be said now", reason="kind")

    def _must_not_stall(self, at: float) -> None:
        silent = at - self._heard
        if self._opened is not None:
            most = STILLS_STALL_S if self._opened.stills else STALL_S
            if silent > most:
                raise CameraGone(DeviceStatus.OFFLINE, _STILL.with_(n=silent))
        elif not self._pid and silent > BORN_S:
            raise CameraGone(DeviceStatus.FAULT, _UNBORN)
        elif silent > self._patience:
            self.was_too_slow = True
            raise CameraGone(DeviceStatus.OFFLINE, _SLOW.with_(n=silent))
