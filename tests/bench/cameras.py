"""Cameras: what watching a 1080p stream costs, how fast four of them are looked at, and how soon a car is kept.

The streams are H.264 over a real RTSP server. One is an empty street with a sensor's noise, for the cost of watching it
in vain; its floor is a process that grabs and retrieves every frame of the same stream at the same time. The other is
one car after the other driving up and leaving, each with another plate: more than `REARM_S` pass before one comes
again, so that each is a passage. All cameras see the same car at once, which is the worst that a gate can do.

Rate and latency are those of four cameras that read plates; memory is measured with plates and faces.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from rich.progress import Progress

from gateway.accounts import Outcome, plate_event
from gateway.board import Board
from gateway.decide import decide_plate
from gateway.demo.pictures import drive
from gateway.errors import ModelError, Rejected, StoreError
from gateway.journal import Journal
from gateway.recorder import Recorder
from gateway.settings import Settings
from gateway.supervisor import QUIET, Seen, Supervisor
from gateway.types import PlateSeen
from gateway.vision.prepare import prepare
from tests.bench.figures import Aim, Figure, Report, percentile
from tests.cameras.streaming import RtspServer
from tests.real import needed, wait_until

CAMERAS, FPS, SECONDS = 4, 5, 30
TURNS = 2  # of the film with the cars, for the latencies
_SHORTER = 5  # frames of empty street that are cut before and after each car
_CARS = {
    "鄂J12345": (52, 52, 150),
    "京A8F001": (150, 60, 40),
    "粤BD12345": (60, 120, 60),
    "沪B30527": (90, 90, 96),
    "川A102K学": (40, 140, 150),
    "鄂JF06688": (120, 50, 90),
}
_RATE = ["-b:v", "4M", "-maxrate", "4M", "-bufsize", "4M"]  # as docs/cameras.md asks of a camera
_ENCODE = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "50", *_RATE, "-pix_fmt", "yuv420p"]
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


@dataclass(frozen=True, slots=True)
class Kept:
    """Seconds from three moments of a passage to when its event was on the disk."""

    first: float  # the first frame in which it was read
    shown: float  # the frame that the event shows: its `time`
    last: float  # the last frame looked at, which made it certain


def bench(folder: Path, progress: Progress) -> Report:
    folder.mkdir(parents=True)
    task = progress.add_task("streams of 1080p", total=None)
    street, cars, film_s = _record(folder)
    try:
        prepare(folder / "data" / "models", lambda _: None)
        faces, notes = True, []
    except (ModelError, Rejected, StoreError) as error:
        faces, notes = False, [f"WITHOUT FACES, their models cannot be made: {error}"]
    with RtspServer(folder, street) as server, _bare(server.url) as bare, _vision(folder, server.url, 1) as vision:
        vision.wait_rest()
        watching = _processor([*vision.decoders(), bare])
        floor = watching.pop()
    with RtspServer(folder, street) as server, _vision(folder, server.url, CAMERAS, faces=faces) as vision:
        vision.wait_rest()
        idle_memory, idle = vision.memory(), sum(_processor([vision.pid, *vision.decoders()])) / CAMERAS
    with RtspServer(folder, cars) as server, _vision(folder, server.url, CAMERAS, faces=faces) as vision:
        wait_until(lambda: len(vision.kept) >= CAMERAS, 120, f"{vision.board.facts()}")
        time.sleep(SECONDS)
        memory = vision.memory()
    figures = [
        Figure("decode and gate, nothing moves", sum(watching), "% of a core", floor, Aim("ratio", "≤", 1.15)),
        Figure("a camera at rest, all its processes", idle, "% of a core", floor),
        Figure("vision at rest, shared pages once", idle_memory, "MB"),
        Figure("vision while cars pass, shared pages once", memory, "MB", None, Aim("value", "≤", 350)),
    ]
    passing, told = _passages(folder, cars, film_s)
    progress.remove_task(task)
    about = f"{CAMERAS} cameras of 1920 x 1080 at 25 frames a second, looked at {FPS} times a second, {SECONDS} s each"
    return Report([*figures, *passing], [about, *notes, *told])


def _passages(folder: Path, cars: Path, film_s: float) -> tuple[list[Figure], list[str]]:
    """Four cameras that read plates, while cars pass: how often each is looked at, and when an event is on the disk."""
    with RtspServer(folder, cars) as server, _vision(folder, server.url, CAMERAS) as vision:
        wait_until(lambda: len(vision.kept) >= CAMERAS, 120, f"{vision.board.facts()}")
        vision.kept.clear()
        processes = [psutil.Process(pid) for pid in (vision.pid, *vision.decoders())]
        rates, paces, until, before = [], [], time.monotonic() + TURNS * film_s, _spent(processes)
        while time.monotonic() < until:
            time.sleep(1.0)
            said = vision.board.facts()["vision"]
            paces.append(said["pace"])
            rates.append(min(camera["fps"] for camera in said["cameras"].values()))
        kept, busy = list(vision.kept), 100 * (sum(_spent(processes)) - sum(before)) / (TURNS * film_s)
    figures = [
        Figure("looks a second, slowest camera", percentile(rates, 0.5), "1/s", FPS, Aim("ratio", "≥", 0.9)),
        Figure("vision while cars pass, all its processes", busy, "% of a core"),
    ]
    for name, which, aim in (
        ("the frame shown", [one.shown for one in kept], Aim("value", "≤", 300)),
        ("the frame that decided", [one.last for one in kept], None),
        ("the first read", [one.first for one in kept], None),
    ):
        for share in (50, 99) if which else ():
            value = 1000 * percentile(which, share / 100)
            figures.append(Figure(f"{name} → on the disk, p{share}", value, "ms", None, aim if share == 50 else None))
    due = TURNS * len(_CARS) * CAMERAS
    return figures, [f"{len(kept)} of about {due} passages were told; pace {min(paces)} at the least"]


def _record(folder: Path) -> tuple[Path, Path, float]:
    """An empty street, and cars: two files of H.264, and how many seconds the second is long."""
    first, *_ = frames = _drive_up(folder / "drive")
    street, cars = folder / "street.h264", folder / "cars.h264"
    ffmpeg = [needed("ffmpeg", "ffmpeg"), "-loglevel", "error", "-y"]
    noise = "scale=1920:1080,noise=alls=8:allf=t"
    still = ["-loop", "1", "-framerate", "25", "-t", "6", "-i", str(first)]
    subprocess.run([*ffmpeg, *still, "-vf", noise, *_ENCODE, *_DELIMITED, str(street)], check=True)
    moving = ["-framerate", "5", "-pattern_type", "glob", "-i", str(first.parent / "*.jpg")]
    subprocess.run([*ffmpeg, *moving, "-vf", f"fps=25,{noise}", *_ENCODE, *_DELIMITED, str(cars)], check=True)
    return street, cars, len(frames) / 5


def _drive_up(folder: Path) -> list[Path]:
    """The pictures of one car after the other, the street empty between them for too short a time to rest."""
    at = 0
    for number, paint in _CARS.items():
        first, at = at, drive(number, paint, folder, at)
        for dull in (*range(first, first + _SHORTER), *range(at - _SHORTER, at)):
            (folder / f"{dull:05d}.jpg").unlink()
    return sorted(folder.iterdir())


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
    """The vision child and all below it, supervised as by the doors, and a journal behind it."""

    def __init__(self, settings: Settings, journal: Journal) -> None:
        self.board = Board()
        self.kept: list[Kept] = []
        self.recorder = Recorder(journal, self.board)
        self.supervisor = Supervisor(settings, self._submit, self.board)
        self._settings = settings

    def _submit(self, seen: Seen) -> None:
        """As the doorkeeper, for a site without a roster."""
        if not isinstance(seen, PlateSeen) or seen.plate is None:
            return
        decision = decide_plate(
            seen.plate, self._settings.plate.threshold, (), seen.point, date.today(), permission=False
        )
        event = plate_event(seen, self._settings.points[seen.point], Outcome(decision, False, 0, None))
        first, last = seen.first_seen or seen.stamp, seen.last_seen or seen.stamp
        self.recorder.record(event, lambda: self.kept.append(Kept(first.age(), seen.stamp.age(), last.age())))

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
def _vision(folder: Path, url: str, cameras: int, *, faces: bool = False) -> Iterator[Vision]:
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
    with ExitStack() as stack:
        vision, stop = Vision(settings, stack.enter_context(closing(Journal(folder / "journal.db")))), threading.Event()
        for run in (vision.recorder.run, vision.supervisor.run):
            thread = threading.Thread(target=run, args=(stop,))
            thread.start()
            stack.callback(thread.join, 10)
        stack.callback(stop.set)
        yield vision


def _processor(pids: list[int]) -> list[float]:
    """Per cent of a core that each of these processes takes, over some seconds."""
    processes = [psutil.Process(pid) for pid in pids]
    before = _spent(processes)
    time.sleep(SECONDS)
    return [100 * (late - early) / SECONDS for early, late in zip(before, _spent(processes), strict=True)]


def _spent(processes: list[psutil.Process]) -> list[float]:
    """Seconds of processor that each has taken."""
    return [sum(process.cpu_times()[:2]) for process in processes]
