"""How well the shipped models read real photographs, through the program's own pipeline.

    python -m models.train.accuracy --data ../shared/data/plates [--faces ../shared/data/faces] [--quick]

prints a table by kind, source and colour: plates read exactly, the surest of a scene or (among) any, as many scenes
show a second car; how many reads are above the threshold of the configuration and how many of these are the labelled
plate; then how far confidences can be believed, with the `scale` and `offset` for the reader's card that would make
them honest; and plates "read" on photographs that show none.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gateway.plate_rules import BLACK, BLUE, GREEN, WHITE, YELLOW
from gateway.settings import PlateReading
from gateway.vision.catalogue import model_dirs
from gateway.vision.images import read_image
from gateway.vision.plates import PlateDetection
from gateway.vision.recogniser import PlateRecogniser, open_recogniser

if TYPE_CHECKING:
    from gateway.types import Image

THRESHOLD = 0.85
COLOUR_CODES = {"blue": BLUE, "yellow": YELLOW, "green": GREEN, "white": WHITE, "black": BLACK}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One labelled picture: what it shows, what was read, and how surely."""

    file: str
    plate: str
    colour: str
    kind: str
    read: str  # the surest of the plates read
    confidence: float
    colour_right: bool
    among: bool  # the labelled plate is among those read: scenes often show a second car

    @property
    def right(self) -> bool:
        return self.read == self.plate


def labels(data: Path) -> list[dict[str, str]]:
    """The rows of labels.csv."""
    with (data / "labels.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def whole(image: Image) -> PlateDetection:
    """A crop is a plate from edge to edge."""
    height, width = image.shape[:2]
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return PlateDetection(quad, 1.0, float(width < 2 * height), {})


def judge(recogniser: PlateRecogniser, data: Path, row: dict[str, str], *, thorough: bool = True) -> Outcome:
    """Read one labelled picture, by default as a still; of several plates in a scene the surest counts."""
    image = read_image(data / row["file"])
    crop = row["kind"] == "crop"
    found = recogniser.read(image, [whole(image)]) if crop else recogniser.recognise(image, thorough=thorough)
    plate = max((plate for _, plate in found), key=lambda plate: plate.confidence, default=None)
    return Outcome(
        row["file"],
        row["plate"],
        row["colour"],
        row["kind"],
        plate.number if plate else "",
        plate.confidence if plate else 0.0,
        plate is not None and plate.plate_color == COLOUR_CODES[row["colour"]],
        row["plate"] in {plate.number for _, plate in found},
    )


def groups(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Outcomes by kind, by source and by colour of scenes."""
    found: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        found[f"all {one.kind}s"].append(one)
        found[one.file.partition("/")[0]].append(one)
        if one.kind == "scene":
            found[f"scenes {one.colour}"].append(one)
    return dict(sorted(found.items()))


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """Lines of the table."""
    yield "group                 n   exact   among  no prov.  colour  >=thr  of these  nothing"
    for name, members in groups(outcomes).items():
        count = len(members)
        sure = [one for one in members if one.confidence >= THRESHOLD]
        yield (
            f"{name:<18}{count:>5}"
            f"{sum(one.right for one in members) / count:>8.1%}"
            f"{sum(one.among for one in members) / count:>8.1%}"
            f"{sum(one.read[1:] == one.plate[1:] for one in members) / count:>10.1%}"
            f"{sum(one.colour_right for one in members) / count:>8.1%}"
            f"{len(sure) / count:>7.0%}"
            f"{sum(one.right for one in sure) / max(len(sure), 1):>10.1%}"
            f"{sum(not one.read for one in members):>9}"
        )


def reliability(outcomes: list[Outcome]) -> Iterator[str]:
    """Lines: reads by confidence, said against true; then the fitted scale and offset."""
    yield f"{'confidence':<14}{'n':>5}{'said':>8}{'true':>8}"
    for low, high in pairwise((0.0, 0.3, 0.6, 0.85, 0.95, 0.99, 1.01)):
        members = [one for one in outcomes if one.read and low <= one.confidence < high]
        if members:
            said = sum(one.confidence for one in members) / len(members)
            true = sum(one.right for one in members) / len(members)
            yield f"{low:.2f} – {min(high, 1):.2f}   {len(members):>5}{said:>8.3f}{true:>8.3f}"
    scale, offset = fitted([one for one in outcomes if one.read])
    yield f"scale {scale:.2f} offset {offset:.2f} on top of the card's would make it honest"


def fitted(outcomes: list[Outcome], rounds: int = 50) -> tuple[float, float]:
    """Logistic regression of right or wrong on logit(confidence), by Newton's method with a little ridge."""
    confidence = np.clip([one.confidence for one in outcomes], 1e-4, 1 - 1e-4)
    inputs = np.column_stack([np.log(confidence / (1 - confidence)), np.ones(len(outcomes))])
    right = np.array([one.right for one in outcomes], float)
    weights = np.array([1.0, 0.0])
    for _ in range(rounds):
        said = 1 / (1 + np.exp(-inputs @ weights))
        curve = inputs.T @ (inputs * (said * (1 - said))[:, None]) + 0.1 * np.eye(2)
        step = np.linalg.solve(curve, inputs.T @ (said - right) + 0.1 * (weights - (1.0, 0.0)))
        weights = weights - step / max(1.0, float(np.linalg.norm(step)))
    return float(weights[0]), float(weights[1])


def false_reads(recogniser: PlateRecogniser, photos: Iterable[Path]) -> tuple[int, int, int]:
    """Photographs without plates: how many, with any read, with a read above the threshold."""
    count = some = sure = 0
    for path in photos:
        reads = [plate.confidence for _, plate in recogniser.recognise(read_image(path), thorough=True)]
        count += 1
        some += bool(reads)
        sure += any(confidence >= THRESHOLD for confidence in reads)
    return count, some, sure


def main() -> None:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with labels.csv")
    parser.add_argument("--faces", type=Path, help="folder of photographs without plates")
    parser.add_argument("--models", type=Path, help="a folder of models that goes before the shipped ones")
    parser.add_argument("--quick", action="store_true", help="one look at each scene, as at a frame of a video")
    parser.add_argument("--mode", choices=["normal", "fast"], default="normal")
    parser.add_argument("--wrong", action="store_true", help="also print each plate that was not read exactly")
    options = parser.parse_args()
    dirs = [options.models] if options.models else []
    recogniser = open_recogniser([*dirs, *model_dirs()], PlateReading(mode=options.mode))
    outcomes = [judge(recogniser, options.data, row, thorough=not options.quick) for row in labels(options.data)]
    print("\n".join(table(outcomes)))
    print("\n".join(reliability(outcomes)))
    if options.wrong:
        for one in outcomes:
            if not one.right:
                print(f"{one.file}: {one.plate} read as {one.read or 'nothing'} ({one.confidence:.2f})")
    if options.faces:
        photos = sorted(options.faces.rglob("*.jpg"))
        print(
            "without plates: {} photographs, {} with a read, {} above the threshold".format(
                *false_reads(recogniser, photos)
            )
        )


if __name__ == "__main__":
    main()
