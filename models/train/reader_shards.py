"""Render training images ahead of the trainer, into numbered shards.

    python -m models.train.reader_shards --out DIR --seed 7 [--glyphs DIR] [--ahead 24]

Runs beside `models.train.reader` on the same folder until stopped, or until --count shards are written; pauses while
--ahead shards lie unread. Shard k depends on the seed and k only, so a run can be repeated and continued.
About 250 images a second on one free core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.train.crops import EASY, HARD, WIDTH, crop
from models.train.glyphs import DEFAULT_GLYPHS, Glyphs
from models.train.numbers import ALPHABET, COLOURS, Random
from models.train.plates import draw
from models.train.reader_net import FRAMES
from models.train.world import Points

SHARD = 2048
LONGEST = 8
UNKNOWN = -1
RAMP = 40_000
HARD_FROM = 48
PITCH = WIDTH / FRAMES

Shard = dict[str, npt.NDArray[np.generic]]


def frame_targets(text: str, centres: Points) -> npt.NDArray[np.int8]:
    """Say for each frame which character stands there (int8 [42]): 0 blank, UNKNOWN at a character's edge."""
    middle = (np.arange(FRAMES) + 0.5) * PITCH
    distance = np.abs(middle[:, None] - centres[None, :, 0])
    nearest = distance.argmin(1)
    least = distance[np.arange(FRAMES), nearest]
    classes = np.array([ALPHABET.index(character) + 1 for character in text], np.int8)[nearest]
    return np.where(least <= 4.0, classes, np.where(least > 5.5, 0, UNKNOWN)).astype(np.int8)


def _inside(centres: Points) -> bool:
    return bool((centres[:, 0] > 3).all() and (centres[:, 0] < WIDTH - 3).all())


def render(seed: int, number: int, glyphs: Glyphs, size: int = SHARD) -> Shard:
    """Render shard `number`; images grow harder over the first RAMP images, quads worse from HARD_FROM."""
    rng: Random = np.random.default_rng((seed, number))
    slack = HARD if number >= HARD_FROM else EASY
    ramp = min(1.0, 0.15 + number * size / RAMP)
    images = np.zeros((size, 48, WIDTH, 3), np.uint8)
    labels, frames = np.zeros((size, LONGEST), np.int8), np.zeros((size, FRAMES), np.int8)
    colours = np.zeros(size, np.int8)
    for index in range(size):
        plate = draw(rng, glyphs, 0.5)
        strength = ramp * float(rng.random()) ** 0.8
        image, centres = crop(rng, plate, strength, slack)
        while not _inside(centres):
            image, centres = crop(rng, plate, strength, slack)
        images[index], frames[index] = image, frame_targets(plate.text, centres)
        labels[index, : len(plate.text)] = [ALPHABET.index(character) + 1 for character in plate.text]
        colours[index] = COLOURS.index(plate.colour)
    return {"images": images, "labels": labels, "frames": frames, "colours": colours}


def shard_path(folder: Path, number: int) -> Path:
    """Where shard `number` lies."""
    return folder / f"{number:05d}.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--glyphs", type=Path, default=DEFAULT_GLYPHS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10**6)
    parser.add_argument("--ahead", type=int, default=24)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    glyphs = Glyphs(options.glyphs)
    for number in range(options.first, options.first + options.count):
        target = shard_path(options.out, number)
        if target.exists():
            continue
        while (marker := options.out / "read").exists() and number > int(marker.read_text()) + options.ahead:
            time.sleep(1)
        draft = target.with_suffix(".tmp")
        with draft.open("wb") as file:
            np.savez(file, **render(options.seed, number, glyphs))  # type: ignore[arg-type]
        draft.rename(target)


if __name__ == "__main__":
    main()
