"""Photographed plates for the reader's last lessons: one half of the labelled photographs; the other half measures.

    python -m models.train.taught --data ../shared/data/plates --out TAUGHT.npz

cuts each plate of that half out sixteen times as the gateway would, with the errors its corners have, and notes what it
reads. The shipped models find the plates; a scene in which none of them reads nearly as its label is left out. Which
half a photograph belongs to is a matter of its file's name alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from gateway.vision import quads
from gateway.vision.catalogue import model_dirs
from gateway.vision.images import read_image
from gateway.vision.labels import of_learnt_half, read_labels
from gateway.vision.plate_accuracy import whole
from gateway.vision.plates import PlateDetection
from gateway.vision.recogniser import PlateRecogniser, open_recogniser
from models.train.numbers import ALPHABET, COLOURS, Random
from models.train.reader_net import FRAMES
from models.train.reader_shards import LONGEST, UNKNOWN, Shard
from models.train.scenes import Image

LOOKS = 16
ALMOST = 2  # characters by which a reading may miss its label: another car's plate misses by more
CORNER = 0.012  # standard deviation of a corner, of the plate's width


def plate_of(recogniser: PlateRecogniser, image: Image, row: dict[str, str]) -> PlateDetection | None:
    """Where the labelled plate is."""
    if row["kind"] == "crop":
        found = recogniser.read(image, [whole(image)])
    else:
        found = recogniser.recognise(image, thorough=True)
    near = [
        (sum(one != other for one, other in zip(plate.number, row["plate"], strict=True)), index)
        for index, (_, plate) in enumerate(found)
        if len(plate.number) == len(row["plate"])
    ]
    return found[min(near)[1]][0] if near and min(near)[0] <= ALMOST else None


def looks(rng: Random, image: Image, plate: PlateDetection) -> Iterator[Image]:
    """The plate as the reader may meet it: corners a little off, cut tighter or looser, at times fewer pixels."""
    width = float(np.hypot(*(plate.quad[1] - plate.quad[0])))
    for _ in range(LOOKS):
        moved = plate.quad + rng.normal(0, CORNER * width, (4, 2)) * (1, 0.7)
        grown = quads.widen(moved.astype(np.float32), rng.normal(0.02, 0.02), rng.normal(0.05, 0.05))
        cut = quads.crop(image, grown, two_rows=plate.two_rows)
        if rng.random() < 0.3:
            share = rng.uniform(0.4, 0.9)
            small = cv2.resize(cut, (round(168 * share), round(48 * share)), interpolation=cv2.INTER_AREA)
            cut = np.asarray(cv2.resize(small, (168, 48), interpolation=cv2.INTER_LINEAR), np.uint8)
        yield cut


def gather(data: Path, seed: int) -> Shard:
    """Every look at every plate of the half, in the form of the reader's shards; where characters stand is unknown."""
    rng, recogniser = np.random.default_rng([seed, 5]), open_recogniser(model_dirs())
    images, texts, hues = [], [], []
    for row in read_labels(data, ("plate", "colour")):
        if not of_learnt_half(row["file"]) or any(character not in ALPHABET for character in row["plate"]):
            continue
        image = read_image(data / row["file"])
        plate = plate_of(recogniser, image, row)
        if plate is None:
            continue
        images += list(looks(rng, image, plate))
        texts += [row["plate"]] * LOOKS
        hues += [COLOURS.index(row["colour"])] * LOOKS
    numbers = np.zeros((len(texts), LONGEST), np.int8)
    for index, text in enumerate(texts):
        numbers[index, : len(text)] = [ALPHABET.index(character) + 1 for character in text]
    frames = np.full((len(texts), FRAMES), UNKNOWN, np.int8)
    return {"images": np.stack(images), "labels": numbers, "frames": frames, "colours": np.array(hues, np.int8)}


def main() -> None:
    """Gather and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    shard = gather(options.data, options.seed)
    with options.out.open("wb") as file:
        np.savez(file, **shard)  # type: ignore[arg-type]
    print(f"{len(shard['images']) // LOOKS} photographed plates, {len(shard['images'])} looks")


if __name__ == "__main__":
    main()
