"""From pictures to what a net was trained on: the order of colours and channels, mean and deviation, as its card says.

The card's [input] has, unless the net takes uint8 BGR with the channels last: `colour` = "rgb", `layout` = "nchw", and
`mean` and `std` per channel in the net's order of colours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.vision.catalogue import Model
from gateway.vision.session import Session


class Feed:
    """How one net is fed with pictures of one size."""

    def __init__(self, model: Model, net: Session, height: int, width: int) -> None:
        """Raises `ModelError` where the net wants another size, or has more than one output."""
        card = model.card.input
        self._rgb, self._planes = card.get("colour") == "rgb", card.get("layout") == "nchw"
        self._mean, self._std = _per_channel(model, "mean", 0.0), _per_channel(model, "std", 1.0)
        self._net = net
        self._single = net.shape[:1] == (1,)
        batch = 1 if self._single else None
        size = (batch, 3, height, width) if self._planes else (batch, height, width, 3)
        net.require(size, tuple(net.outputs)[:1])

    def run(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """The net's answers to n x height x width x 3 BGR. A net for one picture at a time runs n times."""
        given: NDArray[Any] = pictures[..., ::-1] if self._rgb else pictures
        if self._net.dtype != np.uint8:
            given = ((given - self._mean) / self._std).astype(self._net.dtype)
        given = np.ascontiguousarray(given.transpose(0, 3, 1, 2) if self._planes else given)
        if not self._single:
            return self._net.run(given)[0]
        return np.concatenate([self._net.run(given[at : at + 1])[0] for at in range(len(given))])


def _per_channel(model: Model, key: str, default: float) -> NDArray[np.float32]:
    try:
        values = np.asarray(model.card.input.get(key, [default] * 3), np.float32).reshape(3)
        if key == "std" and values.min() <= 0:
            raise ValueError("a deviation of nothing")
    except ValueError as error:
        raise model.unfit(f"模型卡的 {key} 须为三个数字", f"its card must give {key} as three numbers") from error
    return values
