"""The `scale` and `offset` of the reader's card that make its confidences honest on labelled photographs.

    python -m models.train.calibrate --data ../shared/data/plates [--untaught]

prints how sure readings are against how often they are right, before and after. With `--untaught` only photographs
count that the reader has not learnt from (models.train.taught). How well plates are read, `compound-gateway models
bench` says.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gateway.settings import PlateReading
from gateway.vision.catalogue import find, model_dirs
from gateway.vision.grammar import Calibration
from gateway.vision.labels import of_learnt_half
from gateway.vision.plate_accuracy import Outcome, measure_plates, reliability
from gateway.vision.recogniser import open_recogniser

READER = PlateReading().reader


def fitted(outcomes: Sequence[Outcome], rounds: int = 50) -> Calibration:
    """Logistic regression of right or wrong on logit(confidence), by Newton's method with a little ridge."""
    confidence = np.clip([one.confidence for one in outcomes], 1e-4, 1 - 1e-4)
    inputs = np.column_stack([np.log(confidence / (1 - confidence)), np.ones(len(outcomes))])
    right = np.array([one.among for one in outcomes], float)  # a second car's plate is no mistake
    weights = np.array([1.0, 0.0])
    for _ in range(rounds):
        said = 1 / (1 + np.exp(-inputs @ weights))
        curve = inputs.T @ (inputs * (said * (1 - said))[:, None]) + 0.1 * np.eye(2)
        step = np.linalg.solve(curve, inputs.T @ (said - right) + 0.1 * (weights - (1.0, 0.0)))
        weights = weights - step / max(1.0, float(np.linalg.norm(step)))
    return Calibration(float(weights[0]), float(weights[1]))


def show(title: str, outcomes: Sequence[Outcome]) -> None:
    """Print reads by confidence, said against true."""
    print(title)
    for one in reliability(outcomes):
        print(f"  {one.low:.2f} to {one.high:.2f}: {one.reads:4} reads, said {one.said:.3f}, true {one.true:.3f}")
    sure = [one for one in outcomes if one.confidence >= 0.9]
    print(f"  of {len(sure)} reads at 0.9 and more {sum(one.right for one in sure) / max(len(sure), 1):.1%} right")


def untaught(data: Path, into: Path) -> Path:
    """The same folder with the labels of the other half only."""
    with (data / "labels.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not of_learnt_half(row["file"])]
    with (into / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        (into / row["file"]).parent.mkdir(exist_ok=True)
        shutil.copy(data / row["file"], into / row["file"])
    return into


def main() -> None:
    """Measure, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with labels.csv")
    parser.add_argument("--models", type=Path, help="a folder of models that goes before the shipped ones")
    parser.add_argument("--untaught", action="store_true")
    options = parser.parse_args()
    dirs = [*([options.models] if options.models else []), *model_dirs()]
    with tempfile.TemporaryDirectory() as scratch:
        data = untaught(options.data, Path(scratch)) if options.untaught else options.data
        outcomes = [one for one in measure_plates(data, open_recogniser(dirs)) if one.read]
    before = find(READER, dirs).card.thresholds
    better = fitted(outcomes)
    show("as the card says", outcomes)
    show("fitted", [replace(one, confidence=better(one.confidence)) for one in outcomes])
    scale, offset = before.get("scale", 1.0), before.get("offset", 0.0)
    print(f"scale = {scale * better.scale:.2f}\noffset = {offset * better.scale + better.offset:.2f}")


if __name__ == "__main__":
    main()
