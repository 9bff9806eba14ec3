"""A net as a session, by the one of its files that this box runs quicker: float32, or int8 where the card has it.

Which is quicker depends on the processor (VNNI, dot product), so both are timed when they are loaded: by the
processor's time, in turn, which a busy box does not disturb. It takes some hundredths of a second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from statistics import median
from typing import Final

import numpy as np

from gateway.vision.catalogue import Model
from gateway.vision.providers import CPU
from gateway.vision.session import Session

log = logging.getLogger(__name__)

_MOST_TIME: Final = 0.85  # of the float32 net's; a smaller gain is not worth another net
_ROUNDS: Final = 9


def open_quicker(model: Model, sizes: Mapping[str, int] | None = None) -> Session:
    """Load the net of a plate model. Raises `ModelError`, also where its two files take or give different things.

    Only on the CPU: elsewhere neither the processor's time nor the same kind of number is to be relied on. A damaged
    int8 file is refused like any other, though it could be done without: nobody would repair it else.
    """
    exact = Session(model.read(), name=model.name, sizes=sizes)
    if model.card.int8 is None:
        return exact
    small = Session(model.read(model.card.int8), name=f"{model.name} (int8)", sizes=sizes)
    if (small.shape, small.dtype, small.outputs) != (exact.shape, exact.dtype, exact.outputs):
        raise model.unfit("两个文件的输入或输出不同", "its two files take or give different things")
    if {exact.provider, small.provider} != {CPU}:
        return exact
    share = _share(small, exact)
    log.info("%s: int8 takes %.0f %% of float32's time", model.name, 100 * share)
    return small if share <= _MOST_TIME else exact


def _share(small: Session, exact: Session) -> float:
    """The time that `small` takes, as a share of that of `exact`."""
    picture = np.zeros([size or 1 for size in exact.shape], exact.dtype)
    times: dict[Session, list[float]] = {small: [], exact: []}
    for _ in range(_ROUNDS):
        for session, taken in times.items():
            began = time.thread_time()
            session.run(picture)
            taken.append(time.thread_time() - began)
    return median(times[small]) / median(times[exact])
