"""Faces in a picture and the numbers that stand for them. Which net does what is written in the models' cards.

The rule: vectors live in memory and in the encrypted store only; nothing here logs, prints or writes one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.types import Box
from gateway.vision.adapters import adapter
from gateway.vision.catalogue import Model
from gateway.vision.chip import Template, cut_chip
from gateway.vision.detectors.candidates import Detector
from gateway.vision.feed import Feed
from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face. `points` is 5 x 2: eyes, nose, mouth corners; of each pair the one on the image's left comes first."""

    box: Box
    score: float
    points: NDArray[np.float32] = field(repr=False)

    @property
    def eyes(self) -> float:
        """Pixels between the eyes."""
        return math.dist(self.points[0], self.points[1])


class FaceFinder:
    """Finds the faces of a picture by the detector that the card's adapter names. Used by one thread."""

    def __init__(self, model: Model, *, min_face: int = 60, threads: int = 1) -> None:
        self._detector: Detector = adapter(model, "face.detect")(model, min_face=min_face, threads=threads)

    def detect(self, image: Image) -> list[Face]:
        """All faces of a BGR picture of any size, largest first."""
        found = self._detector.find(image)
        faces = [
            Face(Box(*(float(side) for side in box)), float(score), points)
            for box, score, points in zip(found.boxes, found.scores, found.points, strict=True)
        ]
        height, width = image.shape[:2]
        inside = [face for face in faces if _is_inside(face.box, width, height)]
        return sorted(inside, key=lambda face: -face.box.width * face.box.height)


def _is_inside(box: Box, width: int, height: int) -> bool:
    """Whether its middle is in the picture: what is seen outside alone is no face."""
    return 0 <= (box.left + box.right) / 2 < width and 0 <= (box.top + box.bottom) / 2 < height


class Embedder(Protocol):
    """What an adapter for the task face.embed gives. Used by one thread."""

    model: Model

    def chip(self, image: Image, face: Face) -> Image:
        """The aligned face."""

    def embed(self, image: Image, face: Face) -> Vector:
        """The vector of a face; distances between vectors are Euclidean."""


def open_embedder(model: Model, *, threads: int = 1) -> Embedder:
    """The embedder that the card's adapter names. Raises `ModelError`."""
    opened: Embedder = adapter(model, "face.embed")(model, threads=threads)
    return opened


class FaceEmbedder:
    """Turns a face into a vector by the card's template and net. Used by one thread.

    The card's [input] says what the net takes: `points` and `weights` of the template, `width`, `height` and what
    `feed` reads. [output] `unit` = 1 scales vectors to length 1, so that cosine and Euclidean distance order alike.
    """

    def __init__(self, model: Model, *, threads: int = 1) -> None:
        self.model = model
        self.template = _template(model)
        self._unit = bool(model.card.output.get("unit", 0))
        net = Session(model.read(), threads, name=model.name)
        self._feed = Feed(model, net, self.template.height, self.template.width)

    def chip(self, image: Image, face: Face) -> Image:
        """The aligned face."""
        return cut_chip(image, face.points, self.template)

    def embed(self, image: Image, face: Face) -> Vector:
        """The mean vector of the face and its mirror image; distances between vectors are Euclidean."""
        chip = self.chip(image, face)
        both = self._feed.run(np.stack([chip, chip[:, ::-1]]))
        if not self._unit:
            return np.asarray(both.mean(axis=0), np.float32)
        mean = (both / np.linalg.norm(both, axis=1, keepdims=True)).mean(axis=0)
        return (mean / np.linalg.norm(mean)).astype(np.float32)  # type: ignore[no-any-return]


def _template(model: Model) -> Template:
    card = model.card.input
    try:
        points = np.asarray(card["points"], np.float64).reshape(5, 2)
        weights = np.asarray(card.get("weights", [1.0] * 5), np.float64).reshape(5)
        width, height = int(str(card["width"])), int(str(card["height"]))
    except (KeyError, ValueError) as error:
        raise model.unfit(
            "模型卡须给出 width、height 和五个点", "its card must give width, height and five points"
        ) from error
    if weights.min() < 0 or weights.sum() <= 0 or not (16 <= width <= 512 and 16 <= height <= 512):
        raise model.unfit("模型卡中的模板（points、width、height）不成立", "its card has an impossible template")
    return Template(points, weights, width, height)
