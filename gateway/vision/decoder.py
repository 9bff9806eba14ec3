"""A camera's decoder: one process that opens one camera, watches whether anything moves, and shows what does.

Rule: it may hang, crash or grow at any line; whoever started it notices and ends it, and no other camera does. So it
retries nothing: a lost camera is its end, and the next decoder begins afresh.
"""

from __future__ import annotations

import os
import select
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Final

import cv2

from gateway.contracts import Camera, SkippingCamera, StillCamera
from gateway.errors import BadFrame, DeviceLost
from gateway.registry import Driver, load_driver
from gateway.text import spoken
from gateway.types import Frame, Unreadable
from gateway.vision.handover import (
    ORDERS,
    REPORTS,
    Alive,
    FromDecoder,
    Lost,
    Opened,
    Settled,
    Shown,
    Spoilt,
    Taken,
    Task,
    ToDecoder,
)
from gateway.vision.letterbox import fit, shrink
from gateway.vision.motion import MotionGate
from gateway.vision.slots import COUNT, Slots

LINGER_S: Final = 2.0  # still is only what has been still for so long …
LEAST_LOOKS: Final = 5  # … and was looked at so often meanwhile: a vote needs several reads
GLANCE_S: Final = 10.0  # even where nothing moves, one look so often
_BEAT_S: Final = 1.0
_CHUNK: Final = 1 << 16
_LONGEST_DETAIL: Final = 500


class OrdersEnded(Exception):
    """Who started this decoder has no more use for it."""


class Post:
    """The decoder's ends of its two pipes. Writes wait for the reader; reads do not wait unless told to."""

    def __init__(self, orders: int, lines: int) -> None:
        self._orders, self._lines = orders, lines
        self._half = b""

    def say(self, message: FromDecoder) -> None:
        line = REPORTS.encode(message)
        while line:
            line = line[os.write(self._lines, line) :]

    def orders(self, wait_s: float = 0.0) -> list[ToDecoder]:
        """What has arrived, or arrives within `wait_s`. Raises `OrdersEnded`."""
        if not select.select([self._orders], [], [], wait_s)[0]:
            return []
        chunk = os.read(self._orders, _CHUNK)
        if not chunk:
            raise OrdersEnded
        *lines, self._half = (self._half + chunk).split(b"\n")
        return [ORDERS.decode(line + b"\n") for line in lines]


class Decoder:
    """The loop over one open camera."""

    def __init__(self, camera: Camera, task: Task, slots: Slots, post: Post) -> None:
        self._camera, self._task, self._slots, self._post = camera, task, slots, post
        self._gate = MotionGate(task.roi)
        self._free = set(range(COUNT))
        self._period = 1.0 / task.fps
        self._due = self._next_beat = 0.0
        self._frames = 0
        self._last: float | None = None
        self._moved = time.monotonic()  # when something last did
        self._looks = 0  # since then
        self._shown = 0.0  # when a picture was last shown
        self._resting = False

    def run(self) -> None:
        """Until the camera is lost (`DeviceLost`) or nobody wants its pictures any more (`OrdersEnded`)."""
        stills = isinstance(self._camera, StillCamera)
        self._post.say(Opened(stills))
        while True:
            self._obey(0.0)
            self._beat()
            if not stills:
                self._watch()
            elif len(self._free) < COUNT:
                self._obey(0.2)  # the next still waits until this one is taken
            else:
                self._take_still()

    def _watch(self) -> None:
        """The next frame of a stream: decoded for sight only where it is due and there is room for it."""
        at = time.monotonic()
        wanted = at >= self._due and self._free
        if not wanted and isinstance(self._camera, SkippingCamera):
            self._count(self._camera.skip())
            return
        picture = self._camera.read()
        self._count(picture is not None)
        if not isinstance(picture, Frame) or not wanted:
            return
        self._due = max(self._due + self._period, at)
        if self._is_worth_a_look(picture):
            self._show(picture)
            self._shown = time.monotonic()

    def _is_worth_a_look(self, frame: Frame) -> bool:
        at = time.monotonic()
        if not self._task.gated or self._gate.moves(frame.pixels, at):
            self._moved, self._looks = at, 0
        rests = at - self._moved > LINGER_S and self._looks >= LEAST_LOOKS
        if rests != self._resting:
            self._resting = rests
            self._beat(now=True)
        return not rests or at - self._shown >= GLANCE_S

    def _take_still(self) -> None:
        picture = self._camera.read()
        self._count(picture is not None)
        if isinstance(picture, Unreadable):
            self._free.discard(0)
            fault = spoken(picture.fault, self._task.language)[:_LONGEST_DETAIL]
            self._post.say(Spoilt(picture.stamp, picture.source, picture.origin, fault))
        elif picture is not None:
            self._show(picture)

    def _show(self, frame: Frame) -> None:
        slot = min(self._free)
        height, width = frame.pixels.shape[:2]
        self._slots.put(slot, frame.pixels)
        if self._task.small:
            small = shrink(frame.pixels, fit((height, width), self._task.small))
            self._slots.put(slot, small, behind=frame.pixels.size)
        self._free.discard(slot)
        self._post.say(Shown(slot, width, height, frame.stamp, frame.source, frame.origin))

    def _obey(self, wait_s: float) -> None:
        for order in self._post.orders(wait_s):
            match order:
                case Taken(slot=slot, looked=looked):
                    self._free.add(slot)
                    self._slots.empty(slot)
                    self._looks += looked
                case Settled(source=source) if isinstance(self._camera, StillCamera):
                    self._camera.settle(source)

    def _count(self, came: bool) -> None:
        if came:
            self._frames += 1
            self._last = time.monotonic()

    def _beat(self, *, now: bool = False) -> None:
        at = time.monotonic()
        if now or at >= self._next_beat:
            self._next_beat = at + _BEAT_S
            self._post.say(Alive(self._frames, self._last, self._resting))


_load = partial(load_driver, "camera")


def decode_camera(orders: int, lines: int, slots: Slots, load: Callable[[str], Driver] = _load) -> None:
    """The whole life of a decoder process, after its birth: read its task, open the camera, show what moves."""
    cv2.setNumThreads(1)  # leave the cores to the doors
    post = Post(orders, lines)
    camera: Camera | None = None
    try:
        task, *_ = post.orders(10.0)
        if not isinstance(task, Task):
            return
        driver = load(task.driver)
        try:
            camera = driver.connect(driver.Options.model_validate(task.options))
            assert camera is not None
            Decoder(camera, task, slots, post).run()
        except DeviceLost as error:
            post.say(Lost(error.say(task.language)[:_LONGEST_DETAIL]))
        except (OrdersEnded, BrokenPipeError, BadFrame):
            raise
        except Exception as error:  # noqa: BLE001 - the roof of a device: a bug costs this camera alone
            at = traceback.extract_tb(error.__traceback__)[-1]
            # by kind and place, not by message: that may quote an address with its login
            post.say(Lost(f"driver bug: {type(error).__name__} at {at.filename}:{at.lineno}", fault=True))
    except (OrdersEnded, BrokenPipeError):
        pass
    finally:
        if camera is not None:
            camera.close()
