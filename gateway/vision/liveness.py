"""Passive liveness: how much one picture of a face looks like a face and not like paper or a screen.

Rule: it only ever takes away. A face below the threshold is not recognised and is counted; above it, the event states
which net said so and with what score. No net knows every mask: docs/models.md says what this is worth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from gateway.errors import ModelError
from gateway.types import Box
from gateway.vision.adapters import adapter
from gateway.vision.catalogue import Model
from gateway.vision.feed import Feed
from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image


class Liveness(Protocol):
    """What an adapter for the task face.liveness gives. Used by one thread."""

    name: str
    threshold: float  # a score below it is no living face

    def score(self, image: Image, box: Box) -> float:
        """0 to 1, from a BGR picture and where the face is in it."""


def open_liveness(model: Model, *, threads: int = 1) -> Liveness:
    """The judge that the card's adapter names. Raises `ModelError`."""
    opened: Liveness = adapter(model, "face.liveness")(model, threads=threads)
    return opened


class PatchLiveness:
    """A classifier of the patch around a face, as in Silent-Face-Anti-Spoofing.

    The card: [input] `width` and `height` of the patch, `scale` (how many times the face's box it shows), and what
    `feed` reads; [output] `live`, the index of the living class, and `softmax` = 0 where the net gives probabilities;
    [thresholds] `live`.
    """

    def __init__(self, model: Model, *, threads: int) -> None:
        card = model.card
        self.name = model.name
        try:
            self._width, self._height = int(str(card.input["width"])), int(str(card.input["height"]))
            self._scale = float(str(card.input.get("scale", 1.0)))
            self._live = int(str(card.output["live"]))
            self.threshold = card.thresholds["live"]
        except (KeyError, ValueError) as error:
            raise model.unfit(
                "模型卡须给出 width、height、[output] live 和 [thresholds] live",
                "its card must give width, height, [output] live and [thresholds] live",
            ) from error
        if not (16 <= self._width <= 512 and 16 <= self._height <= 512 and 0.5 <= self._scale <= 8 and self._live >= 0):
            raise model.unfit("模型卡中的截取范围不成立", "its card has an impossible patch")
        self._softmax = bool(card.output.get("softmax", 1))
        self._feed = Feed(model, Session(model.read(), threads, name=model.name), self._height, self._width)

    def score(self, image: Image, box: Box) -> float:
        """See `Liveness`."""
        answer = np.ravel(self._feed.run(self.patch(image, box)[None])).astype(np.float64)
        if self._live >= len(answer):
            raise ModelError(f"model {self.name} has {len(answer)} classes, its card names number {self._live}")
        if self._softmax:
            answer = np.exp(answer - answer.max())
            answer /= answer.sum()
        return float(answer[self._live])

    def patch(self, image: Image, box: Box) -> Image:
        """The face with its surroundings; near the edge of the picture moved inside, and smaller where it must be."""
        height, width = image.shape[:2]
        across, down = max(box.width, 1.0), max(box.height, 1.0)
        scale = min(self._scale, width / across, height / down)
        across, down = across * scale, down * scale
        left = min(max((box.left + box.right - across) / 2, 0.0), width - across)
        top = min(max((box.top + box.bottom - down) / 2, 0.0), height - down)
        x, y = int(left), int(top)
        cut = image[y : max(y + 1, round(top + down)), x : max(x + 1, round(left + across))]
        way = cv2.INTER_AREA if cut.shape[0] > self._height else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(cut, (self._width, self._height), interpolation=way), np.uint8)
