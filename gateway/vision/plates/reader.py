"""Adapter `ctc`: a plate cut out flat, all plates of a picture in one batch, becomes characters frame by frame.

The net takes uint8 [n, 48, 168, 3] BGR, or float [n, 3, 48, 168] BGR; then the card's [input] says `mean` and `std` of
pixels 0..1. Its [output] says the `alphabet` behind the blank, the `colours` of the second output, and
`activation = "softmax"` where the net answers with logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway.vision import quads
from gateway.vision.catalogue import Model
from gateway.vision.grammar import Calibration
from gateway.vision.images import normalise
from gateway.vision.plates.values import PlateDetection, PlateRead, plate_colours, shares
from gateway.vision.quads import READ_HEIGHT, READ_WIDTH, Floats
from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image

_PIXELS = (None, READ_HEIGHT, READ_WIDTH, 3)
_PLANES = (None, 3, READ_HEIGHT, READ_WIDTH)


class CtcReader:
    """A reader of flat plates. Used by one thread."""

    def __init__(self, model: Model) -> None:
        self._session = Session(model.read(), name=model.name)
        alphabet = model.card.output.get("alphabet", "")
        answers = list(self._session.outputs.values())
        if self._session.shape not in (_PIXELS, _PLANES) or len(answers) != 2:
            raise model.unfit("不适用于适配器 ctc", "is not made for adapter ctc")
        if not isinstance(alphabet, str) or answers[0][-1] != len(alphabet) + 1:
            raise model.unfit("alphabet 与输出长度不一致", "alphabet and output differ in length")
        self._alphabet = alphabet
        self._colours = plate_colours(model)
        if answers[1][-1] != len(self._colours):
            raise model.unfit("colours 与输出长度不一致", "colours and output differ in length")
        self._mean, self._std = _number(model, "mean", 0.0), _number(model, "std", 1.0)
        self._logits = model.card.output.get("activation") == "softmax"
        thresholds = model.card.thresholds
        self.threshold = thresholds.get("score", 0.0)
        self.calibration = Calibration(thresholds.get("scale", 1.0), thresholds.get("offset", 0.0))

    def read(self, image: Image, detections: Sequence[PlateDetection]) -> list[PlateRead]:
        """See `Reads`."""
        if not detections:
            return []
        image = normalise(image)
        cuts = [quads.crop(image, quads.widen(one.quad), two_rows=one.two_rows) for one in detections]
        prob, colour = self._session.run(self._input(np.array(cuts)))
        if self._logits:
            prob, colour = _softmax(prob), _softmax(colour)
        return [
            PlateRead(
                prob[index],
                self._alphabet,
                shares(self._colours, colour[index]),
                2 if one.two_rows else 1,
                one.narrow,
            )
            for index, one in enumerate(detections)
        ]

    def _input(self, plates: Image) -> Any:
        if self._session.shape == _PIXELS:
            return plates
        planes = (plates.transpose(0, 3, 1, 2).astype(np.float32) / 255 - self._mean) / self._std
        return np.ascontiguousarray(planes, np.float32)


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def _number(model: Model, key: str, default: float) -> float:
    value = model.card.input.get(key, default)
    if not isinstance(value, int | float):
        raise model.unfit(f"模型卡的 {key} 须为数字", f"its card must give {key} as a number")
    return float(value)
