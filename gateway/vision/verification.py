"""How well two face nets tell people apart on labelled photographs: all pairs, and some people enrolled at a time.

Rule: figures only leave this module, never a vector; and a photograph in which no face is found is counted, not hidden.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.errors import Rejected
from gateway.text import Text
from gateway.vision.faces import Embedder, FaceFinder, Vector
from gateway.vision.gallery import Gallery, Rule
from gateway.vision.images import read_image
from gateway.vision.labels import read_labels

_TEMPLATES = 3  # photographs that a person is enrolled with
_DRAWS = 40

People = dict[str, list[Vector]]  # of each identity, the vectors of its photographs


@dataclass(frozen=True, slots=True)
class Identification:
    """Faces looked for among enrolled people, by the rule of the embedder's card: shares of photographs."""

    enrolled: int  # people, each time others, with three photographs each
    own: float  # of their other photographs, taken for them
    wrong: float  # taken for somebody else
    strangers: float | None  # of everybody else's, taken for somebody; None where all are enrolled


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """All pairs of one group of photographs."""

    group: str
    photographs: int
    missed: int  # photographs without a face that was found
    people: int
    genuine: NDArray[np.float32]  # distances between photographs of one person, ascending
    impostor: NDArray[np.float32]  # of different people, ascending
    identification: Identification | None  # None where too few people have enough photographs

    def at(self, far: float) -> tuple[float, float]:
        """(true match rate, distance) where that share of the impostor pairs is accepted."""
        limit = float(self.impostor[min(int(far * len(self.impostor)), len(self.impostor) - 1)])
        return float(np.searchsorted(self.genuine, limit) / len(self.genuine)), limit

    def curve(self) -> list[tuple[float, float]]:
        """(false match rate, true match rate), from the rarest false match that these pairs can show up to all."""
        rates = np.geomspace(1 / len(self.impostor), 1, 120)
        return [(float(rate), self.at(float(rate))[0]) for rate in rates]


def measure_faces(
    folder: Path,
    finder: FaceFinder,
    embedder: Embedder,
    rule: Rule,
    *,
    split: str = "",
    enrolled: int = 0,
    seen: Callable[[], None] = lambda: None,
) -> list[Verification]:
    """Embed the largest face of each photograph that labels.csv (file, identity) names, and compare all.

    With `split`, identities that begin with it are one group and the others another. `enrolled`: so many people at a
    time; else half of those who have more than three photographs, and one. Raises `Rejected`.
    """
    groups: dict[str, list[tuple[str, Vector | None]]] = {}
    for row in read_labels(folder, ("identity",)):
        identity, image = row["identity"], read_image(folder / row["file"])
        faces = finder.detect(image)
        vector = embedder.embed(image, faces[0]) if faces else None
        name = (split if identity.startswith(split) else f"not {split}") if split else "all"
        groups.setdefault(name, []).append((identity, vector))
        seen()
    return [_compare(name, rows, rule, enrolled) for name, rows in sorted(groups.items())]


def identify(people: People, rule: Rule, enrolled: int = 0, draws: int = _DRAWS) -> Identification | None:
    """Enrol some people with three photographs each and look for everybody in all the others; `draws` times over."""
    able = sorted(name for name, vectors in people.items() if len(vectors) > _TEMPLATES)
    count = min(enrolled or len(able) // 2 + 1, len(able))
    if not count:
        return None
    rng, counts = np.random.default_rng(0), Counter[tuple[str, str]]()
    for _ in range(draws):
        members: list[str] = rng.choice(able, count, replace=False).tolist()
        chosen = {name: rng.choice(len(people[name]), _TEMPLATES, replace=False).tolist() for name in members}
        templates = [(name, people[name][index].tobytes()) for name in members for index in chosen[name]]
        counts.update(_look_for(people, Gallery(templates, rule), chosen))
    owns, strangers = (sum(counts[kind, one] for one in ("own", "wrong", "none")) for kind in ("known", "strange"))
    return Identification(
        count,
        counts["known", "own"] / owns,
        counts["known", "wrong"] / owns,
        counts["strange", "wrong"] / strangers if strangers else None,
    )


def _look_for(people: People, gallery: Gallery, chosen: dict[str, list[int]]) -> Iterator[tuple[str, str]]:
    """Of each photograph that was not enrolled: known or strange; taken for its own person, a wrong one or none."""
    for name, vectors in people.items():
        for index, vector in enumerate(vectors):
            if index in chosen.get(name, ()):
                continue
            match = gallery.match(vector)
            kind = "known" if name in chosen else "strange"
            yield kind, "none" if match is None else "own" if match.subject == name else "wrong"


def _compare(group: str, rows: Sequence[tuple[str, Vector | None]], rule: Rule, enrolled: int) -> Verification:
    found = [(identity, vector) for identity, vector in rows if vector is not None]
    people = np.array([identity for identity, _ in found])
    first, second = np.triu_indices(len(found), 1)
    same = people[first] == people[second]
    if not same.any() or same.all():
        raise Rejected(
            Text("分组 {group} 的照片太少", "there are too few photographs in the group {group}").with_(group=group),
            hint=Text("至少两人，其中一人两张", "two people at least, and two photographs of one of them"),
        )
    everybody: People = {}
    for identity, vector in found:
        everybody.setdefault(identity, []).append(vector)
    vectors = np.stack([vector for _, vector in found])
    distances = np.linalg.norm(vectors[first] - vectors[second], axis=1)
    return Verification(
        group,
        len(rows),
        len(rows) - len(found),
        len(set(people.tolist())),
        np.sort(distances[same]),
        np.sort(distances[~same]),
        identify(everybody, rule, enrolled),
    )
