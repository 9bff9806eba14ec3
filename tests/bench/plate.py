"""One look at a picture: find, refine and read the plate of a 1280 x 720 frame, one thread.

The floor is one run of a known detector of plates, hyperlpr_det_640.onnx of ../shared/models, on a picture of the size
it takes; nothing before or after it. Of both the processor's time is measured, so that a busy box compares alike.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from rich.progress import Progress

from gateway.errors import ModelError
from gateway.vision.catalogue import model_dirs
from gateway.vision.recogniser import open_recogniser
from gateway.vision.session import Session
from tests.bench.figures import Aim, Figure, Report, percentile, worked
from tests.bench.frames import street_frames
from tests.bench.site import ROOT

ROUNDS = 10
_YARDSTICK = ROOT.parent / "shared" / "models" / "hyperlpr_det_640.onnx"
_WARM = 5
_SIDE = 640


def bench(folder: Path, progress: Progress) -> Report:
    cv2.setNumThreads(1)
    try:
        recogniser = open_recogniser(model_dirs())
    except ModelError as error:
        return Report([], [f"NOT MEASURED, a model is missing: {error.message}"])
    frames = street_frames(folder / "frames")
    yardstick = Session(_YARDSTICK) if _YARDSTICK.exists() else None
    sheet = np.random.default_rng(7).random((1, 3, _SIDE, _SIDE), np.float32)
    took: list[float] = []
    known: list[float] = []
    for _ in progress.track(range(ROUNDS), description="frames, and the known detector in turn"):
        for frame in frames:
            took.append(worked(lambda: recogniser.recognise(frame)) * 1000)  # noqa: B023, called at once
            if yardstick is not None:
                known.append(worked(lambda: yardstick.run(sheet)) * 1000)
    read = sum(bool(recogniser.recognise(frame)) for frame in frames)
    notes = [f"{len(frames)} frames with a car, {ROUNDS} times; a plate was read in {read} of them"]
    name, median = "find, refine, read; median", percentile(took[_WARM:], 0.5)
    if not known:
        return Report([Figure(name, median, "ms")], [*notes, f"no floor: {_YARDSTICK.name} is not in ../shared/models"])
    return Report([Figure(name, median, "ms", percentile(known[_WARM:], 0.5), Aim("ratio", "≤", 0.7))], notes)
