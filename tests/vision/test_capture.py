"""One camera's thread: the newest frame of a stream, every picture of a folder, and the way back from a loss."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from gateway.clock import now
from gateway.contracts import Camera
from gateway.errors import DeviceLost
from gateway.text import Language, Text
from gateway.types import DeviceStatus, Frame
from gateway.vision.capture import Capture
from gateway.wire import DeviceReport
from tests.real import wait_until

PIXELS = np.zeros((2, 2, 3), np.uint8)


class Stream:
    """Gives the frames it was made with, then waits; `lose` makes the next read fail."""

    def __init__(self, frames: int) -> None:
        self.left = deque(range(frames))
        self.lost = threading.Event()
        self.closed = False

    def read(self) -> Frame | None:
        if self.lost.is_set():
            raise DeviceLost(Text("断了", "broke"), hint=Text("插好", "plug it in"))
        if not self.left:
            self.lost.wait(0.01)
            return None
        return Frame(PIXELS, now(), source=self._source(self.left.popleft()))

    def close(self) -> None:
        self.closed = True

    def _source(self, _number: int) -> str | None:
        return None


class Stills(Stream):
    def __init__(self, frames: int) -> None:
        super().__init__(frames)
        self.settled: list[tuple[str, str]] = []

    def settle(self, source: str) -> None:
        self.settled.append((source, threading.current_thread().name))

    def _source(self, number: int) -> str | None:
        return f"{number}.jpg"


@contextmanager
def running(connect: Callable[[], Camera], language: Language = Language.EN) -> Iterator[tuple[Capture, list[str]]]:
    said: list[str] = []

    def report(one: DeviceReport) -> None:
        said.append(f"{one.status} {one.detail}".strip())

    capture = Capture("cam", connect, report, threading.Event(), language)
    stop = threading.Event()
    thread = threading.Thread(target=capture.run, args=(stop,), name="its own thread")
    thread.start()
    try:
        yield capture, said
    finally:
        stop.set()
        thread.join(3)
        assert not thread.is_alive()


def test_of_a_stream_only_the_newest_frame_waits() -> None:
    camera = Stream(50)
    with running(lambda: camera) as (capture, _):
        wait_until(lambda: not camera.left)
        newest = capture.take()
        assert newest is not None
        assert newest.stamp.age() < 1
        assert capture.take() is None
        assert not capture.waits()
    assert camera.closed


def test_of_stills_each_waits_its_turn_and_is_settled_on_the_camera_s_own_thread() -> None:
    camera = Stills(20)
    taken: list[str] = []
    with running(lambda: camera) as (capture, _):
        for _ in range(20):
            wait_until(capture.waits)
            picture = capture.take()
            assert picture is not None
            assert picture.source is not None
            taken.append(picture.source)
            capture.settle(picture.source)
        wait_until(lambda: len(camera.settled) == 20)
    assert taken == [f"{number}.jpg" for number in range(20)]
    assert camera.settled == [(name, "its own thread") for name in taken]


def test_a_lost_camera_is_reported_in_the_site_s_language_and_opened_again() -> None:
    cameras = [Stream(1), Stream(1)]
    waiting = iter(cameras)
    with running(lambda: next(waiting), Language.ZH) as (capture, said):
        wait_until(lambda: said == ["online"] and capture.waits())
        age = capture.frame_age_s()
        assert age is not None
        assert age < 5
        cameras[0].lost.set()
        wait_until(lambda: said == ["online", "offline 断了（插好）", "online"])
    assert all(camera.closed for camera in cameras)


def test_a_camera_that_cannot_be_opened_is_tried_again_and_again() -> None:
    tries: list[int] = []

    def connect() -> Camera:
        tries.append(1)
        raise DeviceLost("nobody home")

    with running(connect) as (_, said):
        wait_until(lambda: len(tries) >= 3)
    assert set(said) == {DeviceStatus.OFFLINE.value + " nobody home"}


def test_a_bug_of_a_driver_is_a_fault_of_that_camera_and_quotes_nothing() -> None:
    def connect() -> Camera:
        raise ValueError("rtsp://admin:s3cret@10.0.0.1")

    with running(connect) as (_, said):
        wait_until(lambda: len(said) >= 2)
    assert all(line.startswith("fault driver bug: ValueError at ") for line in said)
    assert "s3cret" not in str(said)


def test_how_long_a_driver_has_been_in_a_call_can_be_seen_from_outside() -> None:
    door = threading.Event()

    def connect() -> Camera:
        door.wait(5)
        return Stream(0)

    with running(connect) as (capture, _):
        wait_until(lambda: capture.busy_s() > 0.2)
        door.set()
        wait_until(lambda: capture.busy_s() < 0.1)
