"""Cameras: what watching a 1080p stream costs, and what four of them need with plates and faces.

The streams are H.264 over a real RTSP server. One is an empty street with a sensor's noise, for the cost of watching it
in vain; its floor is a process that grabs and retrieves every frame of the same stream at the same time. The other is
the demo's car driving up, again and again.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from rich.progress import Progress

from gateway.board import Board
from gateway.demo.pictures import drive
from gateway.errors import ModelError, Rejected, StoreError
from gateway.settings import Settings
from gateway.supervisor import QUIET, Seen, Supervisor
from gateway.types import PlateSeen
from gateway.vision.prepare import prepare
from tests.bench.figures import Aim, Figure, Report, percentile
from tests.cameras.streaming import RtspServer
from tests.real import needed, wait_until

CAMERAS, FPS, SECONDS = 4, 5, 30
_ENCODE = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "50", "-threads", "1", "-pix_fmt", "yuv420p"]
_DELIMITED = ["-bsf:v", "h264_mp4toannexb,h264_metadata=aud=insert", "-f", "h264"]
_BARE = """
import os, sys, time
os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay"
import cv2
stream = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
print("ready", flush=True)
while stream.grab():
    stream.retrieve()
"""


def bench(folder: Path, progress: Progress) -> Report:
    folder.mkdir(parents=True)
    task = progress.add_task("streams of 1080p", total=None)
    street, cars = _record(folder)
    notes = [
        f"{CAMERAS} cameras of 1920 x 1080 at 25 frames a second, looked at {FPS} times a second, {SECONDS} s each"
    ]
    try:
        prepare(folder / "data" / "models", lambda _: None)
    except (ModelError, Rejected, StoreError) as error:
        notes.append(f"WITHOUT FACES, their models cannot be made: {error}")
    with RtspServer(folder, street) as server, _bare(server.url) as bare, _vision(folder, server.url, 1) as vision:
        vision.wait_rest()
        watching = _processor([*vision.decoders(), bare])
        floor = watching.pop()
    with RtspServer(folder, street) as server, _vision(folder, server.url, CAMERAS) as vision:
        vision.wait_rest()
        idle_memory, idle = vision.memory(), sum(_processor([vision.pid, *vision.decoders()])) / CAMERAS
    with RtspServer(folder, cars) as server, _vision(folder, server.url, CAMERAS) as vision:
        wait_until(lambda: len(vision.ages) >= CAMERAS, 120, f"{vision.board.facts()}")
        vision.ages.clear()
        time.sleep(SECONDS)
        memory, said, ages = vision.memory(), vision.board.facts()["vision"], sorted(vision.ages)
    progress.remove_task(task)
    rates = [one["fps"] for one in said["cameras"].values()]
    figures = [
        Figure("decode and gate, nothing moves", sum(watching), "% of a core", floor, Aim("ratio", "≤", 1.15)),
        Figure("a camera at rest, all its processes", idle, "% of a core", floor),
        Figure("vision at rest, shared pages once", idle_memory, "MB"),
        Figure("vision while cars pass, shared pages once", memory, "MB", None, Aim("value", "≤", 350)),
        Figure("looks a second, slowest camera", min(rates), "1/s", FPS, Aim("ratio", "≥", 0.9)),
    ]
    if ages:
        figures += [Figure(f"capture to observation, p{n}", 1000 * percentile(ages, n / 100), "ms") for n in (50, 99)]
    notes.append(f"{len(ages)} observations while cars passed; pace {said['pace']}")
    return Report(figures, notes)


def _record(folder: Path) -> tuple[Path, Path]:
    """An empty street, and cars: two files of H.264."""
    drive("鄂J12345", (52, 52, 150), folder / "drive", start=0)
    first = sorted((folder / "drive").iterdir())
    street, cars = folder / "street.h264", folder / "cars.h264"
    pattern = str(first[0].parent / f"%0{len(first[0].stem)}d{first[0].suffix}")
    ffmpeg = [needed("ffmpeg", "ffmpeg"), "-loglevel", "error", "-y"]
    noise = "scale=1920:1080,noise=alls=8:allf=t"
    still = ["-loop", "1", "-framerate", "25", "-t", "6", "-i", str(first[0])]
    subprocess.run([*ffmpeg, *still, "-vf", noise, *_ENCODE, *_DELIMITED, str(street)], check=True)
    moving = ["-framerate", "5", "-i", pattern]
    subprocess.run([*ffmpeg, *moving, "-vf", f"fps=25,{noise}", *_ENCODE, *_DELIMITED, str(cars)], check=True)
    return street, cars


@contextmanager
def _bare(url: str) -> Iterator[int]:
    """A process that does the least: grab and retrieve."""
    process = subprocess.Popen([sys.executable, "-c", _BARE, url], stdout=subprocess.PIPE, env={**QUIET})
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Vision:
    """The vision child and all below it, supervised as by the doors."""

    def __init__(self, settings: Settings) -> None:
        self.board = Board()
        self.ages: list[float] = []  # of the frame that was shown, when its observation arrived
        self.supervisor = Supervisor(settings, self._submit, self.board)

    def _submit(self, seen: Seen) -> None:
        if isinstance(seen, PlateSeen):
            self.ages.append(seen.stamp.age())

    @property
    def pid(self) -> int:
        return int((self.board.facts().get("vision") or {}).get("pid") or 0)

    def decoders(self) -> list[int]:
        below = psutil.Process(self.pid).children(recursive=True)
        return [process.pid for process in below if process.name() == "decoder"]

    def wait_rest(self) -> None:
        def rests() -> bool:
            cameras: dict[str, Any] = (self.board.facts().get("vision") or {}).get("cameras") or {}
            return bool(cameras) and all(camera["resting"] for camera in cameras.values())

        wait_until(rests, 90, f"every camera at rest: {self.board.facts()}")

    def memory(self) -> float:
        """MB of all processes, each shared page once, and of the pictures between them."""
        processes = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        pages = sum(process.memory_full_info().pss for process in processes)
        said = self.board.facts()["vision"]["cameras"].values()
        decoders = sum(psutil.Process(pid).memory_info().rss for pid in self.decoders())
        between = max(0, sum(camera["memory"] for camera in said) - decoders)
        return float(pages + between) / 1e6


@contextmanager
def _vision(folder: Path, url: str, cameras: int) -> Iterator[Vision]:
    faces = (folder / "data" / "models" / "mtcnn").exists()
    camera = {"driver": "rtsp", "url": url, "point": "gate", "fps": FPS, "recognise": ["plate", *["face"] * faces]}
    reasons = {"purpose": "bench", "necessity": "bench", "pia_ref": "bench"}
    settings = Settings.model_validate(
        {
            "site": {"compound_id": "bench", "name": "bench", "language": "en"},
            "gateway": {"id": "box", "data_dir": str(folder / "data")},
            "points": {"gate": {"name": "Gate", "kind": "mixed", "direction": "in"}},
            "cameras": {f"cam{number}": {**camera, "sign_posted": True} for number in range(cameras)},
            "face": {"enabled": faces, **reasons},
        }
    )
    vision, stop = Vision(settings), threading.Event()
    thread = threading.Thread(target=vision.supervisor.run, args=(stop,))
    thread.start()
    try:
        yield vision
    finally:
        stop.set()
        thread.join(10)


def _processor(pids: list[int]) -> list[float]:
    """Per cent of a core that each of these processes takes, over some seconds."""
    processes = [psutil.Process(pid) for pid in pids]
    before = [sum(process.cpu_times()[:2]) for process in processes]
    time.sleep(SECONDS)
    after = [sum(process.cpu_times()[:2]) for process in processes]
    return [100 * (late - early) / SECONDS for early, late in zip(before, after, strict=True)]
