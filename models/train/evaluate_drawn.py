"""How well the whole pipeline finds and reads drawn plates, by what makes them hard, beside third-party models.

    python -m models.train.evaluate_drawn

One plate a scene of 640x384, in scenery that training never saw, spoilt by weather, lens and compression as the
training scenes are: a share of every group can be read by nobody. Found: overlaps the plate by 0.4. Read: all of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from gateway.vision.catalogue import model_dirs
from gateway.vision.plates import PlateDetection
from gateway.vision.recogniser import PlateRecogniser, open_recogniser
from models.train.decode import INPUT_HEIGHT, INPUT_WIDTH
from models.train.glyphs import DEFAULT_GLYPHS, Glyphs
from models.train.numbers import CLASSES, COLOURS, Random, invent
from models.train.photos import same
from models.train.scenes import (
    DEFAULT_BACKGROUNDS,
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


def scene(rng: Random, glyphs: Glyphs, files: list[Path], group: Group) -> tuple[Image, Floats, str]:
    """One plate of the group in a street: the picture, the plate's quad and its number."""

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
    return spoil(rng, street), quad, plate.text


Read = Callable[[Image], list[tuple[PlateDetection, str]]]


def ways(recogniser: PlateRecogniser) -> Read:
    """Read as the gateway does one frame of a video."""
    return lambda image: [(found, plate.number) for found, plate in recogniser.recognise(image)]


def measure(read: Read, group: Group, glyphs: Glyphs, files: list[Path], each: int) -> tuple[float, float]:
    """Share of a group's plates that are found and read as something, and share read exactly."""
    rng = np.random.default_rng([SEED, GROUPS.index(group)])
    found = exact = 0
    for _ in range(each):
        image, quad, number = scene(rng, glyphs, files, group)
        there = PlateDetection(quad, 1.0, 0.0, {}).box
        near = [text for one, text in read(image) if one.box.iou(there) > 0.4]
        found += bool(near)
        exact += any(same(text, number) for text in near)
    return found / each, exact / each


def lines(readers: dict[str, Read], glyphs: Glyphs, files: list[Path], each: int) -> Iterator[str]:
    """A row for each group."""
    yield f"{'group':<28}" + "".join(f"{name + ': found':>24}{'read':>8}" for name in readers)
    for group in GROUPS:
        shares = [measure(read, group, glyphs, files, each) for read in readers.values()]
        yield f"{group.name:<28}" + "".join(f"{found:>24.1%}{exact:>8.1%}" for found, exact in shares)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="a folder of models that goes before the shipped ones")
    parser.add_argument("--glyphs", type=Path, default=DEFAULT_GLYPHS)
    parser.add_argument("--backgrounds", type=Path, default=DEFAULT_BACKGROUNDS)
    parser.add_argument("--each", type=int, default=EACH)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    dirs = [options.models] if options.models else []
    readers = {"ours": ways(open_recogniser([*dirs, *model_dirs()]))}
    files = backgrounds(options.backgrounds, held_out=True)
    for line in lines(readers, Glyphs(options.glyphs), files, options.each):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
