"""How well the plate models read labelled photographs, through the program's own pipeline.

Rule: a photograph counts as it would in service: by the grammar and the province of the configuration; nothing is left
out because it was not found. Photographs that the reader may have learnt from are told apart from the others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gateway.errors import Rejected
from gateway.text import Text
from gateway.vision.images import read_image
from gateway.vision.labels import LABELS, of_learnt_half, pictures, read_labels
from gateway.vision.plates import COLOURS, PlateDetection
from gateway.vision.recogniser import PlateRecogniser

if TYPE_CHECKING:
    from gateway.types import Image

_KINDS: Final = ("scene", "crop")
_BINS: Final = (0.0, 0.3, 0.6, 0.85, 0.9, 0.95, 0.98, 1.0)
_TRUSTED: Final = 0.9  # of the reads that are told with this confidence, 97 % at least should be right
_FRESH: Final = "not learnt from"
_MISREAD: Final = 2  # characters: with more of them wrong, another car's plate was read


@dataclass(frozen=True, slots=True)
class Outcome:
    """One labelled photograph: what it shows, what was read, and how surely."""

    file: str
    plate: str
    kind: str  # scene: a picture with a car; crop: a plate from edge to edge
    colour: str  # empty where the label gives none
    read: str  # the surest of the plates read, or nothing
    confidence: float
    colour_right: bool | None  # None where the label gives none
    among: bool  # the labelled plate is among those read: a scene may show a second car

    @property
    def right(self) -> bool:
        return self.read == self.plate


@dataclass(frozen=True, slots=True)
class Bin:
    """The reads whose confidence lies between two bounds."""

    low: float
    high: float
    reads: int
    said: float  # mean confidence
    true: float  # share that is right


def measure_plates(
    folder: Path, recogniser: PlateRecogniser, seen: Callable[[], None] = lambda: None, *, once: bool = False
) -> list[Outcome]:
    """Read each photograph that labels.csv (file, plate; and if known colour, kind) names. Raises `Rejected`.

    As stills; with `once` in one look, as frames of a video.
    """
    rows = read_labels(folder, ("plate",))
    for number, row in enumerate(rows, start=2):
        _check(row, number)
    outcomes = []
    for row in rows:
        outcomes.append(judge(recogniser, read_image(folder / row["file"]), row, once=once))
        seen()
    return outcomes


def count_false(
    folder: Path, recogniser: PlateRecogniser, threshold: float, seen: Callable[[], None] = lambda: None
) -> dict[str, int]:
    """Of photographs that show no plate: how many, in how many one is read, in how many above the threshold."""
    counts = Counter(photographs=0, read=0, sure=0)
    for path in pictures(folder):
        reads = [plate.confidence for _, plate in recogniser.recognise(read_image(path), thorough=True)]
        counts.update(photographs=1, read=int(bool(reads)), sure=int(max(reads, default=0.0) >= threshold))
        seen()
    return dict(counts)


def summary(outcomes: Sequence[Outcome], threshold: float, *, halved: bool = False) -> list[dict[str, Any]]:
    """One row for all photographs of a kind, and for each folder and each colour of scenes.

    `halved`: the reader has learnt from one half of the photographs, so the other half has rows of its own.
    """
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[f"{one.kind}s"].append(one)
        if "/" in one.file:
            groups[f"{one.file.partition('/')[0]}/"].append(one)
        if one.kind == "scene" and one.colour:
            groups[f"scenes {one.colour}"].append(one)
        if halved and not of_learnt_half(one.file):
            groups[f"{one.kind}s {_FRESH}"].append(one)
            groups[f"all {_FRESH}"].append(one)
    return [{"group": name, **_figures(members, threshold)} for name, members in sorted(groups.items())]


def reliability(outcomes: Iterable[Outcome]) -> list[Bin]:
    """Reads by confidence: what was said against what is true."""
    reads = [one for one in outcomes if one.read]
    found = []
    for low, high in pairwise(_BINS):
        members = [one for one in reads if low <= one.confidence < high or (high == one.confidence == _BINS[-1])]
        if members:
            said, true = _mean(one.confidence for one in members), _mean(one.right for one in members)
            found.append(Bin(low, high, len(members), said, true))
    return found


def confusions(outcomes: Iterable[Outcome]) -> Counter[tuple[str, str]]:
    """(what stands there, what was read) for every character, where a read is as long as the plate and nearly right."""
    pairs: Counter[tuple[str, str]] = Counter()
    for one in outcomes:
        if len(one.read) == len(one.plate):
            together = list(zip(one.plate, one.read, strict=True))
            if sum(true != read for true, read in together) <= _MISREAD:
                pairs.update(together)
    return pairs


def _figures(members: Sequence[Outcome], threshold: float) -> dict[str, Any]:
    sure, trusted = ([one for one in members if one.confidence >= least] for least in (threshold, _TRUSTED))
    coloured = [one.colour_right for one in members if one.colour_right is not None]
    return {
        "photographs": len(members),
        "exact": _mean(one.right for one in members),
        "among": _mean(one.among for one in members),
        "but_province": _mean(one.read[1:] == one.plate[1:] for one in members),
        "colour": _mean(coloured) if coloured else None,
        "sure": len(sure) / len(members),
        "sure_right": _mean(one.right for one in sure) if sure else None,
        "trusted": len(trusted) / len(members),
        "trusted_right": _mean(one.right for one in trusted) if trusted else None,
        "nothing": sum(not one.read for one in members),
    }


def judge(recogniser: PlateRecogniser, image: Image, row: dict[str, str], *, once: bool = False) -> Outcome:
    """Read one photograph and set it beside its row of labels.csv."""
    kind, colour = row.get("kind") or "scene", row.get("colour") or ""
    found = recogniser.read(image, [whole(image)]) if kind == "crop" else recogniser.recognise(image, thorough=not once)
    plate = max((plate for _, plate in found), key=lambda plate: plate.confidence, default=None)
    number = row["plate"].strip()
    return Outcome(
        file=row["file"],
        plate=number,
        kind=kind,
        colour=colour,
        read=plate.number if plate else "",
        confidence=plate.confidence if plate else 0.0,
        colour_right=(plate is not None and plate.plate_color == COLOURS[colour]) if colour else None,
        among=number in {plate.number for _, plate in found},
    )


def whole(image: Image) -> PlateDetection:
    """A crop is a plate from edge to edge, in two rows where it is less than twice as wide as high."""
    height, width = image.shape[:2]
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return PlateDetection(quad, 1.0, float(width < 2 * height), {})


def _check(row: dict[str, str], line: int) -> None:
    for column, known in (("kind", _KINDS), ("colour", tuple(COLOURS))):
        value = row.get(column)
        if value and value not in known:
            raise Rejected(
                Text("{labels}:{line}：{column} 不能是 {value}", "{labels}:{line}: {column} cannot be {value}").with_(
                    labels=LABELS, line=line, column=column, value=value
                ),
                hint=Text("可用：{known}，或留空", "write {known}, or nothing").with_(known=", ".join(known)),
            )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
