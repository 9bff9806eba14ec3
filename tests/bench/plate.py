"""One look at a picture: find, refine and read the plate of a 1280 x 720 frame, one thread.

The floor is one run of a known detector of plates, hyperlpr_det_640.onnx of ../shared/models, on a picture of the size
it takes; nothing before or after it. Of both the processor's time is measured, so that a busy box compares alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from rich.progress import Progress

from gateway.errors import ModelError
from gateway.settings import PlateReading
from gateway.vision.catalogue import model_dirs
from gateway.vision.recogniser import open_recogniser
from gateway.vision.session import Session
from tests.bench.figures import Aim, Figure, Report, percentile, worked
from tests.bench.frames import street_frames
from tests.bench.site import ROOT

Mode = Literal["normal", "fast"]
AIMS: dict[Mode, float] = {"normal": 0.7, "fast": 0.33}
ROUNDS = 10
_YARDSTICK = ROOT.parent / "shared" / "models" / "hyperlpr_det_640.onnx"
_WARM = 5
_SIDE = 640


def bench(folder: Path, progress: Progress) -> Report:
    cv2.setNumThreads(1)
    try:
        recognisers = {mode: open_recogniser(model_dirs(), PlateReading(mode=mode)) for mode in AIMS}
    except ModelError as error:
        return Report([], [f"NOT MEASURED, a model is missing: {error.message}"])
    frames = street_frames(folder / "frames")
    yardstick = Session(_YARDSTICK) if _YARDSTICK.exists() else None
    sheet = np.random.default_rng(7).random((1, 3, _SIDE, _SIDE), np.float32)
    took: dict[Mode, list[float]] = {mode: [] for mode in AIMS}
    known: list[float] = []
    for _ in progress.track(range(ROUNDS), description="frames, and the known detector in turn"):
        for frame in frames:
            for mode, recogniser in recognisers.items():
                took[mode].append(worked(lambda: recogniser.recognise(frame)) * 1000)  # noqa: B023, called at once
            if yardstick is not None:
                known.append(worked(lambda: yardstick.run(sheet)) * 1000)
    floor = percentile(known[_WARM:], 0.5) if known else None
    figures, notes = [], [] if known else [f"no floor: {_YARDSTICK.name} is not in ../shared/models"]
    for mode, recogniser in recognisers.items():
        name, median = f"find, refine, read, {mode}; median", percentile(took[mode][_WARM:], 0.5)
        aim = None if floor is None else Aim("ratio", "≤", AIMS[mode])
        figures.append(Figure(name, median, "ms", floor, aim))
        read = sum(bool(recogniser.recognise(frame)) for frame in frames)
        notes.append(f"{mode}: {len(frames)} frames with a car, {ROUNDS} times; a plate was read in {read} of them")
    return Report(figures, notes)
