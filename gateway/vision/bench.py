"""How fast a model runs here: one thread, random pixels, each size it is used at.

Rule: only the bare model is timed; what the program adds before and after it is for the evaluation to show.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from gateway.vision.catalogue import Model
from gateway.vision.session import Session

_FREE_SIDE = 224  # pixels, for a net that takes pictures of any size
_WARM = 3


def measure(model: Model, rounds: int = 50) -> Iterator[dict[str, Any]]:
    """Each file of the model: its input and the median and worst milliseconds of `rounds` runs. Raises `ModelError`."""
    for file in model.card.files:
        if not file.name.endswith(".onnx"):
            continue
        session = Session(model.read(file.name), name=model.name, sizes=_sizes(model))
        array = _picture(session)
        for _ in range(_WARM):
            session.run(array)
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            session.run(array)
            times.append((time.perf_counter() - start) * 1000)
        yield {
            "file": file.name,
            "input": "x".join(str(size) for size in array.shape),
            "median_ms": round(statistics.median(times), 3),
            "worst_ms": round(max(times), 3),
            "provider": session.provider,
        }


def _sizes(model: Model) -> dict[str, int]:
    """Height and width as the card says, where the file leaves dimensions of these names free."""
    return {side: size for side in ("height", "width") if isinstance(size := model.card.input.get(side), int)}


def _picture(session: Session) -> Any:
    """Noise of the session's shape: free batches are one, free sides of a picture are of common size."""
    shape = [(1 if axis == 0 else _FREE_SIDE) if size is None else size for axis, size in enumerate(session.shape)]
    noise = np.random.default_rng(0).integers(0, 256, shape)
    return noise.astype(session.dtype)
