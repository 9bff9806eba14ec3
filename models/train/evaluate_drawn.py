"""How well the whole pipeline finds and reads drawn plates, by what makes them hard.

    python -m models.train.evaluate_drawn
    python -m models.train.evaluate_drawn --models FOLDER --detector hyperlpr_det_640 --refiner "" \
        --reader plate_rec_color

The second measures other models, each a folder with its card (docs/models.md) in FOLDER.
One plate a scene of 640x384, in scenery that training never saw: in clear air, and spoilt by weather, lens and
compression as the training scenes are (of which a share can be read by nobody). Found: overlaps the plate by 0.4 and
reads as something. Read: every character.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from gateway.settings import PlateReading
from gateway.vision.catalogue import model_dirs
from gateway.vision.plates import PlateDetection
from gateway.vision.recogniser import PlateRecogniser, open_recogniser
from models.train.glyphs import DEFAULT_GLYPHS, Glyphs
from models.train.numbers import CLASSES, COLOURS, Random, invent
from models.train.photos import same
from models.train.scenes import (
    DEFAULT_BACKGROUNDS,
    INPUT_HEIGHT,
    INPUT_WIDTH,
    PLATE,
    TWO_ROWS,
    Floats,
    Image,
    Thing,
    backdrop,
    backgrounds,
    flat_plate,
    park,
    paste,
    pose,
    quad_of,
    stand,
)
from models.train.weather import spoil
from models.train.world import jpeg

AREA = INPUT_WIDTH, INPUT_HEIGHT
EACH, SEED = 150, 21
ONE_ROW = frozenset(CLASSES) - TWO_ROWS


@dataclass(frozen=True, slots=True)
class Group:
    """What makes plates hard: ranges of width in pixels and of roll and yaw in degrees (either way); which classes."""

    name: str
    width: tuple[float, float] = (80, 250)
    roll: tuple[float, float] = (0, 5)
    yaw: tuple[float, float] = (0, 15)
    classes: frozenset[str] = ONE_ROW


GROUPS = (
    Group("plain"),
    Group("tilted 10 to 20", roll=(10, 20)),
    Group("tilted 20 to 30", roll=(20, 30)),
    Group("tilted 30 to 45", roll=(30, 45)),
    Group("turned 30 to 50", yaw=(30, 50)),
    Group("60 to 80 px", width=(60, 80)),
    Group("45 to 60 px", width=(45, 60)),
    Group("36 to 44 px", width=(36, 44)),
    Group("two rows", classes=TWO_ROWS),
    Group("two rows, tilted 10 to 30", roll=(10, 30), classes=TWO_ROWS),
    *(Group(f"class {name}", classes=frozenset({name})) for name in CLASSES),
)


def scene(rng: Random, glyphs: Glyphs, files: list[Path], group: Group, clear: bool) -> tuple[Image, Floats, str]:
    """One plate of the group in a street, in `clear` air or not: the picture, the plate's quad and its number."""

    def either(low: float, high: float) -> float:
        return float(rng.choice([-1, 1]) * rng.uniform(low, high))

    width = float(rng.uniform(*group.width))
    image, plate = flat_plate(rng, glyphs, width, invent(rng, group.classes))
    angles = either(*group.roll), either(*group.yaw), float(np.clip(rng.normal(8, 10), -20, 30))
    matrix = stand(rng, image, pose(rng, width, angles), AREA)
    quad = quad_of(matrix, *image.shape[1::-1])
    street = backdrop(rng, files, AREA)
    item = Thing(image, matrix, quad, PLATE, plate.rows, COLOURS.index(plate.colour), car=rng.random() < 0.7)
    if item.car:
        park(rng, street, item)
    paste(street, image, None, matrix)
    return jpeg(rng, street, 0.3) if clear else spoil(rng, street), quad, plate.text


def measure(
    recogniser: PlateRecogniser, group: Group, glyphs: Glyphs, files: list[Path], each: int, clear: bool
) -> tuple[float, float]:
    """Share of a group's plates that are found, and share read exactly, as one frame of a video."""
    rng = np.random.default_rng([SEED, GROUPS.index(group), clear])
    found = exact = 0
    for _ in range(each):
        image, quad, number = scene(rng, glyphs, files, group, clear)
        there = PlateDetection(quad, 1.0, 0.0, {}).box
        near = [plate.number for one, plate in recogniser.recognise(image) if one.box.iou(there) > 0.4]
        found += bool(near)
        exact += any(same(text, number) for text in near)
    return found / each, exact / each


def lines(recogniser: PlateRecogniser, glyphs: Glyphs, files: list[Path], each: int) -> Iterator[str]:
    """A row for each group."""
    yield f"{'plates':<28}{'clear: found':>14}{'read':>8}{'spoilt: found':>16}{'read':>8}"
    for group in GROUPS:
        clear, spoilt = (measure(recogniser, group, glyphs, files, each, air) for air in (True, False))
        yield f"{group.name:<28}{clear[0]:>14.1%}{clear[1]:>8.1%}{spoilt[0]:>16.1%}{spoilt[1]:>8.1%}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="a folder of models that goes before the shipped ones")
    parser.add_argument("--glyphs", type=Path, default=DEFAULT_GLYPHS)
    parser.add_argument("--backgrounds", type=Path, default=DEFAULT_BACKGROUNDS)
    parser.add_argument("--mode", choices=["normal", "fast"], default="normal")
    for part in ("detector", "refiner", "reader"):
        parser.add_argument(f"--{part}", default=f"plate-{part}", help="a model's name")
    parser.add_argument("--int8", action="store_true", help="where this box gains from it; float32 otherwise")
    parser.add_argument("--each", type=int, default=EACH)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    dirs = [options.models] if options.models else []
    chosen = {name: getattr(options, name) for name in ("mode", "detector", "refiner", "reader", "int8")}
    recogniser = open_recogniser([*dirs, *model_dirs()], PlateReading(**chosen))
    files = backgrounds(options.backgrounds, held_out=True)
    for line in lines(recogniser, Glyphs(options.glyphs), files, options.each):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
