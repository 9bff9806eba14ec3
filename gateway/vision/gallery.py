"""Who of the enrolled people a face is, or nobody: one rule, applied to all templates at once.

A face is a person's when that person is near enough and the next person clearly farther (models.md measured it: a
distance alone lets strangers in). The more people are enrolled, the nearer it must be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.errors import ModelError

_TUNED_FOR = 24  # people in the gallery the thresholds were measured with


@dataclass(frozen=True, slots=True)
class Rule:
    """Distances of a model's card.

    `per_tenfold` is by how much a ten times larger gallery needs a smaller distance for as many false matches.
    """

    match: float
    margin: float
    alone: float
    per_tenfold: float = 0.0

    @classmethod
    def of(cls, thresholds: Mapping[str, float]) -> Rule:
        """From a card's [thresholds]. Raises `ModelError` where one is missing."""
        try:
            return cls(
                match=thresholds["match"],
                margin=thresholds["margin"],
                alone=thresholds["alone"],
                per_tenfold=thresholds.get("per_tenfold", 0.0),
            )
        except KeyError as error:
            raise ModelError(f"the model's card gives no threshold {error}", hint="see docs/faces.md") from error

    def threshold(self, people: int) -> float:
        """The distance below which a face may match, with so many people enrolled."""
        if people <= 1:
            return self.alone
        return self.match - self.per_tenfold * max(0.0, math.log10(people / _TUNED_FOR))


@dataclass(frozen=True, slots=True)
class Match:
    """A recognised person. `similarity` and its threshold are 1 - distance, 0 at least."""

    subject: str
    distance: float
    margin: float  # how much farther the next person is; infinite where there is none
    threshold: float
    gallery_size: int  # people

    @property
    def similarity(self) -> float:
        return max(0.0, 1.0 - self.distance)

    @property
    def similarity_threshold(self) -> float:
        return max(0.0, 1.0 - self.threshold)


class Gallery:
    """The templates of one model, ready to compare. Immutable: a changed store makes a new gallery."""

    def __init__(self, templates: Sequence[tuple[str, bytes]], rule: Rule) -> None:
        """`templates`: (subject, little-endian float32 values), any number per subject."""
        ordered = sorted(templates, key=lambda template: template[0])
        subjects = np.array([subject for subject, _ in ordered], dtype=object)
        self._rule = rule
        self._vectors = (
            np.stack([np.frombuffer(values, "<f4") for _, values in ordered])
            if ordered
            else np.empty((0, 0), np.float32)
        )
        self._squares = np.einsum("ij,ij->i", self._vectors, self._vectors)
        starts = [0, *(1 + np.flatnonzero(subjects[1:] != subjects[:-1]))] if ordered else []
        self._starts = np.array(starts, np.intp)
        self.subjects: tuple[str, ...] = tuple(subjects[self._starts]) if ordered else ()

    def __len__(self) -> int:
        """How many people."""
        return len(self.subjects)

    def distances(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Euclidean distance to each person's nearest template, in the order of `subjects`."""
        square = self._squares - 2 * (self._vectors @ vector) + vector @ vector
        nearest: NDArray[np.float32] = np.minimum.reduceat(square, self._starts)
        return np.sqrt(np.maximum(nearest, 0))

    def match(self, vector: NDArray[np.float32]) -> Match | None:
        """The person this vector belongs to, or None."""
        found = self.nearest(vector)
        # asked this way round, a distance that is no number accepts nobody
        accepted = found is not None and found.distance < found.threshold and found.margin >= self._rule.margin
        return found if accepted else None

    def nearest(self, vector: NDArray[np.float32]) -> Match | None:
        """The nearest person whether or not the rule accepts; None where nobody is enrolled."""
        if not self.subjects:
            return None
        distances = self.distances(vector)
        best = int(distances.argmin())
        others = np.delete(distances, best)
        margin = float(others.min() - distances[best]) if others.size else math.inf
        people = len(self)
        return Match(self.subjects[best], float(distances[best]), margin, self._rule.threshold(people), people)
