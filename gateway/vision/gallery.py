"""Who of the enrolled people a face is, or nobody: one rule, applied to all templates at once.

A face is a person's when that person is near enough and the next person clearly farther (models.md measured it: a
distance alone lets strangers in). The more people are enrolled, the nearer it must be. From ten people on, the next
five tell how near this face is to anybody: who is near to all is nobody's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.errors import ModelError
from gateway.text import Text

_TUNED_FOR = 24  # people in the gallery the thresholds were measured with
_COHORT_FROM = 10  # people enrolled
# Measured on East Asian photographs, dlib-resnet: the mean of the next five serves mixed galleries, where the tenth is
# often of another group and says nothing; the mean of ten let in twice as many strangers there.
_COHORT = 5
_COHORT_WEIGHT = 0.5
_NO_VECTORS = np.empty((0, 0), np.float32)

RE_ENROL = Text(
    "更换人脸模型后须重新登记所有人：compound-gateway face enrol …，然后重启服务",
    "after a change of the face model everyone must re-enrol: compound-gateway face enrol …, then restart the service",
)
_NO_THRESHOLD = Text("模型卡没有给出阈值 {key}", "the model's card gives no threshold {key}")
_SEE = Text("见 docs/models.zh-CN.md", "see docs/models.md")


@dataclass(frozen=True, slots=True)
class Rule:
    """Distances of a model's card.

    `per_tenfold` is by how much a ten times larger gallery needs a smaller distance for as many false matches. With
    `cohort`, distance + (distance - mean of the next five people) / 2 must be below it too wherever ten people are
    enrolled; the margin there is `cohort_margin`, which may be smaller.
    """

    match: float
    margin: float
    alone: float
    per_tenfold: float = 0.0
    cohort: float = math.inf
    cohort_margin: float | None = None
    cosine: bool = False  # vectors have length 1, so a similarity is their cosine

    @classmethod
    def of(cls, thresholds: Mapping[str, float], *, cosine: bool = False) -> Rule:
        """From a card's [thresholds]. Raises `ModelError` where one is missing."""
        try:
            return cls(
                match=thresholds["match"],
                margin=thresholds["margin"],
                alone=thresholds["alone"],
                per_tenfold=thresholds.get("per_tenfold", 0.0),
                cohort=thresholds.get("cohort", math.inf),
                cohort_margin=thresholds.get("cohort_margin"),
                cosine=cosine,
            )
        except KeyError as error:
            raise ModelError(_NO_THRESHOLD.with_(key=error), hint=_SEE) from error

    def threshold(self, people: int) -> float:
        """The distance below which a face may match, with so many people enrolled."""
        return self.alone if people <= 1 else self.match - self._stricter(people)

    def accepts(self, found: Match) -> bool:
        """Asked this way round: a distance that is no number accepts nobody."""
        if not found.distance < found.threshold:
            return False
        if found.normalised is None or self.cohort == math.inf:
            return found.margin >= self.margin
        least = self.margin if self.cohort_margin is None else self.cohort_margin
        return found.margin >= least and found.normalised < self.cohort - self._stricter(found.gallery_size)

    def _stricter(self, people: int) -> float:
        return self.per_tenfold * max(0.0, math.log10(people / _TUNED_FOR))


@dataclass(frozen=True, slots=True)
class Match:
    """A recognised person. `similarity` and its threshold are for people: cosine, or 1 - distance and 0 at least."""

    subject: str
    distance: float
    margin: float  # how much farther the next person is; infinite where there is none
    threshold: float
    gallery_size: int  # people
    normalised: float | None = None  # distance, less what all faces near this one have in common
    cosine: bool = False

    @property
    def similarity(self) -> float:
        return self._alike(self.distance)

    @property
    def similarity_threshold(self) -> float:
        return self._alike(self.threshold)

    def _alike(self, distance: float) -> float:
        return max(-1.0, 1 - distance**2 / 2) if self.cosine else max(0.0, 1 - distance)


class Gallery:
    """The templates of one model, ready to compare. Immutable: a changed store makes a new gallery."""

    def __init__(self, templates: Sequence[tuple[str, bytes]], rule: Rule) -> None:
        """`templates`: (subject, little-endian float32 values), any number per subject. Raises `ModelError`."""
        owned: dict[str, list[bytes]] = {}
        for subject, values in templates:
            owned.setdefault(subject, []).append(values)
        if len({len(values) for _, values in templates}) > 1:
            raise _other_length()
        # Layer by layer: everybody's first template, then the second of those who have two … So the nearest of each
        # person is a minimum of slices, a hundred times faster than `np.minimum.reduceat` over runs of three.
        ranked = sorted(owned.items(), key=lambda item: -len(item[1]))
        self.subjects: tuple[str, ...] = tuple(subject for subject, _ in ranked)
        counts = np.array([len(rows) for _, rows in ranked], np.intp)
        self._layers = [int((counts > layer).sum()) for layer in range(max(counts, default=0))]
        values = b"".join(ranked[row][1][layer] for layer, size in enumerate(self._layers) for row in range(size))
        self._vectors = np.frombuffer(values, "<f4").reshape(len(templates), -1) if templates else _NO_VECTORS
        self._squares = np.einsum("ij,ij->i", self._vectors, self._vectors)
        self._rule = rule

    def __len__(self) -> int:
        """How many people."""
        return len(self.subjects)

    def distances(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Euclidean distance to each person's nearest template, in the order of `subjects`."""
        return np.sqrt(np.maximum(self._squares_to(vector), 0))

    def match(self, vector: NDArray[np.float32]) -> Match | None:
        """The person this vector belongs to, or None. Raises `ModelError` where the vectors are of another length."""
        found = self.nearest(vector)
        return found if found is not None and self._rule.accepts(found) else None

    def nearest(self, vector: NDArray[np.float32]) -> Match | None:
        """The nearest person whether or not the rule accepts; None where nobody is enrolled."""
        people = len(self)
        if not people:
            return None
        squares = self._squares_to(vector)
        chosen, nearest = [], []
        for _ in range(min(people, 1 + _COHORT)):  # a few passes are much faster than one partition
            chosen.append(int(squares.argmin()))
            nearest.append(squares[chosen[-1]])
            squares[chosen[-1]] = np.inf
        first, *others = np.sqrt(np.maximum(nearest, 0)).tolist()
        normalised = None
        if people >= _COHORT_FROM:
            normalised = first + _COHORT_WEIGHT * (first - sum(others) / len(others))
        return Match(
            self.subjects[chosen[0]],
            first,
            others[0] - first if others else math.inf,
            self._rule.threshold(people),
            people,
            normalised,
            self._rule.cosine,
        )

    def _squares_to(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Squared distance to each person's nearest template: one matrix product and little else."""
        if vector.shape != self._vectors.shape[1:]:
            raise _other_length()
        squares = self._vectors @ (-2 * vector)
        squares += self._squares
        nearest: NDArray[np.float32] = squares[: len(self)]
        start = 0
        for size in self._layers:
            np.minimum(nearest[:size], squares[start : start + size], out=nearest[:size])
            start += size
        with np.errstate(invalid="ignore"):  # a vector of no numbers is nobody's, and no reason to warn
            nearest += vector @ vector
        return nearest


def _other_length() -> ModelError:
    return ModelError(
        Text("人脸模板与模型的向量长度不同", "the face templates are of another length than the model's vectors"),
        hint=RE_ENROL,
    )
