"""One camera's decoder in a process of its own: what it shows, every way it can go wrong, and the way back.

Every decoder here is a real process; the cameras in them are those of `faulty_camera`, each with its own fault.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from gateway import presence
from gateway.settings import Camera
from gateway.text import Language
from gateway.types import DeviceStatus, Frame, Unreadable
from gateway.vision import capture as capturing
from gateway.vision import running
from gateway.vision.capture import Capture
from gateway.vision.letterbox import fit, shrink
from gateway.vision.nursery import Nursery
from gateway.wire import DeviceReport
from tests.real import PATIENCE_S, wait_until
from tests.striped import jpeg, paint
from tests.vision.faulty_camera import FaultyNursery


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = FaultyNursery()
    yield nursery
    nursery.close()


class Watched:
    """A capture in its thread, and what it said. With a `marker` its camera is one of `faulty_camera`."""

    def __init__(
        self,
        nursery: Nursery,
        marker: Path | None,
        language: Language = Language.EN,
        *,
        driver: str = "test",
        small: Sequence[int] = (),
        **options: Any,
    ) -> None:
        if marker is not None:
            options["marker"] = str(marker)
        camera = Camera(driver=driver, point="gate", fps=30, options=options)
        self.said: list[str] = []
        arrived = threading.Event()
        self.capture = Capture(
            "cam", camera, nursery, self._report, arrived, language=language, max_rss=200 << 20, small=small
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.capture.run, args=(self._stop,))

    def _report(self, one: DeviceReport) -> None:
        self.said.append(f"{one.status} {one.detail}".strip())

    @contextmanager
    def running(self) -> Iterator[Watched]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(PATIENCE_S)
            assert not self._thread.is_alive()

    @property
    def pid(self) -> int:
        decoder = self.capture._decoder
        return decoder._pid if decoder else 0

    def look(self) -> Frame:
        wait_until(self.capture.waits, what=str(self.said))
        picture = self.capture.take()
        assert isinstance(picture, Frame)
        return picture


def test_of_a_stream_only_the_newest_frame_waits(nursery: Nursery, tmp_path: Path) -> None:
    with Watched(nursery, tmp_path / "x").running() as watched:
        wait_until(lambda: watched.capture.sent() > 60)
        frame = watched.look()
        assert frame.stamp.age() < 1
        assert frame.pixels.shape == (40, 80, 3)
        assert watched.look().stamp.mono > frame.stamp.mono
    assert watched.said == ["online"]


def test_each_frame_comes_with_the_small_picture_that_was_asked_for(nursery: Nursery, tmp_path: Path) -> None:
    with Watched(nursery, tmp_path / "x", small=(32, 64)).running() as watched:
        frame = watched.look()
        assert frame.small is not None
        assert np.array_equal(frame.small, shrink(frame.pixels, fit(frame.pixels.shape, (32, 64))))
    with Watched(nursery, tmp_path / "y").running() as watched:
        assert watched.look().small is None


def test_of_stills_each_waits_its_turn_and_is_settled(nursery: Nursery, tmp_path: Path) -> None:
    log = tmp_path / "settled"
    with Watched(nursery, log, first="stills").running() as watched:
        for number in range(20):
            frame = watched.look()
            assert frame.source == f"{number}.jpg"
            assert frame.pixels.max() == frame.pixels.min() == number
            watched.capture.settle(frame.source)
        wait_until(lambda: log.exists() and len(log.read_text().split()) == 20)
    assert log.read_text().split() == [f"{number}.jpg" for number in range(20)]


def test_a_picture_that_ends_its_decoder_again_and_again_does_not_block_its_folder(
    nursery: Nursery, tmp_path: Path
) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    for number, name in enumerate(("good.jpg", "deadly.jpg", "behind.jpg")):
        data = jpeg(paint(number))
        comment = b"\xff\xfe\x00\x0asegfault" if name == "deadly.jpg" else b""
        (uploads / name).write_bytes(data[:2] + comment + data[2:])
        os.utime(uploads / name, (time.time() - 100 + number,) * 2)
    with Watched(nursery, uploads, first="folder").running() as watched:
        pictures = []
        for _ in range(3):
            wait_until(watched.capture.waits, what=str(watched.said))
            picture = watched.capture.take()
            assert picture is not None
            pictures.append(picture)
            watched.capture.settle(picture.source or "")
        ledger = uploads / ".consumed"
        wait_until(lambda: len(ledger.read_text().splitlines()) == 3)
        assert [picture.source for picture in pictures] == ["good.jpg", "deadly.jpg", "behind.jpg"]
        assert isinstance(pictures[1], Unreadable)
        assert str(pictures[1].fault) == "decoding it ended the decoder 3 times"
        assert sum("SIGSEGV" in one for one in watched.said) == 3


FAULTS = {
    "lost": "offline broke (plug it in)",
    "bug": "fault driver bug: ValueError at ",
    "hang": "offline no picture for ",
    "never opens": "offline does not open within ",
    "segfault": "fault its decoder ended (SIGSEGV)",
    "exit": "fault its decoder ended (5)",
    "leak": "fault its decoder grew to",
    "lie": "fault its decoder says what it cannot mean",
}


@pytest.mark.parametrize(("fault", "words"), FAULTS.items())
def test_whatever_goes_wrong_is_said_and_the_next_decoder_works(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, words: str
) -> None:
    monkeypatch.setattr(running, "STALL_S", 2.5)
    monkeypatch.setattr(presence, "STEADY_S", 0.5)
    monkeypatch.setattr(capturing, "OPEN_S", 2.5)
    beside = Watched(nursery, tmp_path / "other")
    with Watched(nursery, tmp_path / "x", first=fault).running() as watched, beside.running():
        wait_until(lambda: any(one.startswith(words) for one in watched.said), what=str(watched.said))
        wait_until(lambda: watched.said[-1] == "online", what=str(watched.said))
        assert watched.look().stamp.age() < 1
        assert beside.look().stamp.age() < 1
    assert beside.said == ["online"]
    assert "s3cret" not in str(watched.said)


@pytest.mark.parametrize(("number", "words"), [(signal.SIGKILL, "(SIGKILL)"), (signal.SIGSTOP, "no picture for ")])
def test_a_decoder_killed_or_stopped_from_outside(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, words: str
) -> None:
    monkeypatch.setattr(running, "STALL_S", 2.5)
    monkeypatch.setattr(presence, "STEADY_S", 0.5)
    with Watched(nursery, tmp_path / "x").running() as watched:
        watched.look()
        first = watched.pid
        os.kill(first, number)
        wait_until(lambda: any(words in one for one in watched.said), what=str(watched.said))
        wait_until(lambda: not psutil.pid_exists(first))
        wait_until(lambda: watched.pid not in (0, first) and watched.said[-1] == "online")
        watched.look()


def test_a_box_that_stood_still_with_all_its_processes_has_lost_no_camera(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "STALL_S", 2.5)
    with Watched(nursery, tmp_path / "x").running() as watched:
        watched.look()
        decoder, pid, stood_still = watched.capture._decoder, watched.pid, threading.Event()
        assert decoder is not None
        exchange = decoder._pipes.exchange

        def stand_still_once(seconds: float) -> list[bytes]:
            if stood_still.is_set():
                return exchange(seconds)
            os.kill(pid, signal.SIGSTOP)
            exchange(0.5)  # what was on its way
            time.sleep(3.0)
            os.kill(pid, signal.SIGCONT)
            stood_still.set()
            return []

        monkeypatch.setattr(decoder._pipes, "exchange", stand_still_once)
        assert stood_still.wait(60)
        before = watched.capture.sent()
        wait_until(lambda: watched.capture.sent() > before, what=str(watched.said))
        assert watched.said == ["online"]


def test_pictures_taken_back_crash_nobody(nursery: Nursery, tmp_path: Path) -> None:
    with Watched(nursery, tmp_path / "x", first="foreign slot").running() as watched:
        wait_until(lambda: watched.capture.sent() > 12)
        for _ in range(10):
            watched.capture.take()
            time.sleep(0.02)
        assert watched.said == ["online"]


def test_a_camera_that_is_not_there_is_tried_again_and_again(nursery: Nursery, tmp_path: Path) -> None:
    with Watched(nursery, tmp_path / "x", first="nobody home", always="nobody home").running() as watched:
        wait_until(lambda: len(watched.said) >= 3)
    assert set(watched.said) == {DeviceStatus.OFFLINE.value + " nobody home"}


def test_a_camera_that_comes_and_goes_is_back_only_once_it_stays(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capturing, "_LONGEST_DELAY_S", 0.2)
    with Watched(nursery, tmp_path / "x", first="lost", always="lost").running() as watched:
        wait_until(lambda: len(watched.said) >= 4, what=str(watched.said))
    assert watched.said[0] == "online"
    assert set(watched.said[1:]) == {"offline broke (plug it in)"}


def test_faults_are_told_in_the_site_s_language(nursery: Nursery, tmp_path: Path) -> None:
    with Watched(nursery, tmp_path / "x", Language.ZH, first="lost").running() as watched:
        wait_until(lambda: "offline 断了（插好）" in watched.said)


def test_a_camera_no_longer_wanted_says_nothing_more_and_leaves_no_process(nursery: Nursery, tmp_path: Path) -> None:
    with Watched(nursery, tmp_path / "x").running() as watched:
        watched.look()
        pid = watched.pid
        watched.capture.end()
        wait_until(lambda: not psutil.pid_exists(pid))
        wait_until(lambda: not watched._thread.is_alive())
    assert watched.said == ["online"]


def test_a_decoder_holds_nothing_of_its_siblings(nursery: Nursery, tmp_path: Path) -> None:
    """Or a dead one would not be noticed while another lives."""
    with Watched(nursery, tmp_path / "x").running() as one, Watched(nursery, tmp_path / "y").running() as two:
        one.look()
        two.look()
        pipes = [
            {link for entry in Path(f"/proc/{watched.pid}/fd").iterdir() if (link := os.readlink(entry))[:4] == "pipe"}
            for watched in (one, two)
        ]
        assert [len(ends) for ends in pipes] in ([2, 2], [3, 3])  # orders and lines, and perhaps standard error
        assert len(pipes[0] & pipes[1]) <= 1
