"""Plates in pictures: frames a second through detect, refine and read, against the bare runs of the same models.

Twenty frames of 1280 x 720 with one car each (the demo's). The floor replays, frame by frame and in turn with the
pipeline, exactly the arrays that the pipeline gave its models: nothing but `session.run`. Of both the processor's time
is measured, so that a busy box compares alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.progress import Progress

from gateway.demo.pictures import drive
from gateway.errors import ModelError
from gateway.vision.catalogue import model_dirs
from gateway.vision.recogniser import open_recogniser
from gateway.vision.session import Array, Session
from tests.bench.figures import Aim, Figure, Report, worked

ROUNDS = 10
_CARS = slice(10, 30)  # of the drive's frames, those with a car


class Recording:
    """A session that keeps what it was given, to be run again without anything around it."""

    def __init__(self, session: Session, calls: list[tuple[Session, Array]]) -> None:
        self._session, self._calls = session, calls

    def run(self, array: Array) -> list[Array]:
        self._calls.append((self._session, array.copy()))
        return self._session.run(array)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def bench(folder: Path, progress: Progress) -> Report:
    cv2.setNumThreads(1)  # as the vision process does
    try:
        recogniser = open_recogniser(model_dirs())
    except ModelError as error:
        return Report([], [f"NOT MEASURED, a model is missing: {error.message}"])
    frames = street_frames(folder / "frames")
    scripts = [_calls(frame) for frame in frames]
    plates = sum(len(recogniser.recognise(frame)) for frame in frames)
    busy = bare = 0.0
    for _ in progress.track(range(ROUNDS), description="frames, and bare runs in turn"):
        for frame, script in zip(frames, scripts, strict=True):
            busy += worked(lambda: recogniser.recognise(frame))  # noqa: B023, called at once
            bare += worked(lambda: [session.run(array) for session, array in script])  # noqa: B023
    count = ROUNDS * len(frames)
    return Report(
        [Figure("plates, one thread", count / busy, "frames/s", count / bare, Aim("ratio", "≥", 0.9))],
        [f"{len(frames)} frames of 1280 x 720, {ROUNDS} times; {plates} plates read in them"],
    )


def street_frames(folder: Path) -> list[Any]:
    """Twenty frames of a drawn street with a car in it."""
    drive("鄂J12345", (52, 52, 150), folder, start=0)
    read = (cv2.imread(str(path), cv2.IMREAD_COLOR) for path in sorted(folder.iterdir())[_CARS])
    return [np.asarray(frame, np.uint8) for frame in read if frame is not None]


def _calls(frame: Any) -> list[tuple[Session, Array]]:
    """Every run of a model that one frame costs, with its input."""
    calls: list[tuple[Session, Array]] = []
    recogniser: Any = open_recogniser(model_dirs())
    finder = recogniser._finder
    for part in (finder._detector, finder._refiner, recogniser._reader):
        part._session = Recording(part._session, calls)
    recogniser.recognise(frame)
    return calls
