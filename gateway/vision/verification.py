"""How well two face nets tell people apart on labelled photographs: every photograph against every other.

Rule: figures only leave this module, never a vector; and a photograph in which no face is found is counted, not hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.errors import Rejected
from gateway.text import Text
from gateway.vision.faces import Embedder, FaceFinder, Vector
from gateway.vision.images import read_image
from gateway.vision.labels import read_labels


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """All pairs of one group of photographs."""

    group: str
    photographs: int
    missed: int  # photographs without a face that was found
    people: int
    genuine: NDArray[np.float32]  # distances between photographs of one person, ascending
    impostor: NDArray[np.float32]  # of different people, ascending

    def at(self, far: float) -> tuple[float, float]:
        """(true match rate, distance) where that share of the impostor pairs is accepted."""
        limit = float(self.impostor[min(int(far * len(self.impostor)), len(self.impostor) - 1)])
        return float(np.searchsorted(self.genuine, limit) / len(self.genuine)), limit

    def curve(self) -> list[tuple[float, float]]:
        """(false match rate, true match rate), from the rarest false match that these pairs can show up to all."""
        rates = np.geomspace(1 / len(self.impostor), 1, 120)
        return [(float(rate), self.at(float(rate))[0]) for rate in rates]


def measure_faces(
    folder: Path, finder: FaceFinder, embedder: Embedder, split: str = "", seen: Callable[[], None] = lambda: None
) -> list[Verification]:
    """Embed the largest face of each photograph that labels.csv (file, identity) names, and compare all.

    With `split`, identities that begin with it are one group and the others another. Raises `Rejected`.
    """
    groups: dict[str, list[tuple[str, Vector | None]]] = {}
    for row in read_labels(folder, ("identity",)):
        identity, image = row["identity"], read_image(folder / row["file"])
        faces = finder.detect(image)
        vector = embedder.embed(image, faces[0]) if faces else None
        name = (split if identity.startswith(split) else f"not {split}") if split else "all"
        groups.setdefault(name, []).append((identity, vector))
        seen()
    return [_compare(name, rows) for name, rows in sorted(groups.items())]


def _compare(group: str, rows: list[tuple[str, Vector | None]]) -> Verification:
    found = [(identity, vector) for identity, vector in rows if vector is not None]
    people = np.array([identity for identity, _ in found])
    first, second = np.triu_indices(len(found), 1)
    same = people[first] == people[second]
    if not same.any() or same.all():
        raise Rejected(
            Text("分组 {group} 的照片太少", "there are too few photographs in the group {group}").with_(group=group),
            hint=Text("至少两人，其中一人两张", "two people at least, and two photographs of one of them"),
        )
    vectors = np.stack([vector for _, vector in found])
    distances = np.linalg.norm(vectors[first] - vectors[second], axis=1)
    return Verification(
        group,
        len(rows),
        len(rows) - len(found),
        len(set(people.tolist())),
        np.sort(distances[same]),
        np.sort(distances[~same]),
    )
