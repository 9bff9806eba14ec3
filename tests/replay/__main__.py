"""Composes a film of cars before a gate from the photographs of ../shared and counts what is told of it.

python -m tests.replay                     ten minutes: the table, and each passage that went wrong
python -m tests.replay --seconds 60        less of it
python -m tests.replay --save film.avi     writes the film too; `replay` cameras and people can play it
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gateway.vision.catalogue import model_dirs
from gateway.vision.looks import build
from gateway.vision.recogniser import open_recogniser
from tests.conftest import SHARED
from tests.replay.cars import Car, cut, photos
from tests.replay.count import lines, tally
from tests.replay.film import BORN, play, settings
from tests.replay.script import FPS, Script, compose
from tests.replay.street import HEIGHT, WIDTH, Street

if TYPE_CHECKING:
    from gateway.types import Image


def prepare(shared: Path, seconds: float, seed: int, *, readable: bool = False) -> tuple[Script, Street]:
    """The script with its cars, and the street. `readable`: only cars read right, no second plate."""
    recogniser = open_recogniser(model_dirs())
    chosen = photos(shared / "data" / "plates")
    order = np.random.default_rng(seed).permutation(len(chosen))
    needed = min(len(chosen), max(6, round(seconds / 4)))
    cars: list[Car] = []
    for number in order:
        car = cut(chosen[number], recogniser)
        if not readable or [plate.number for _, plate in recogniser.recognise(car.piece)] == [car.number]:
            cars.append(car)
        if len(cars) == needed:
            break
    return compose(cars, seconds, seed), Street(shared / "data" / "backgrounds", seed)


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.replay", description=__doc__)
    asked.add_argument("--seconds", type=float, default=600.0)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--save", type=Path)
    options = asked.parse_args()
    script, street = prepare(SHARED, options.seconds, options.seed)
    writer = None
    if options.save:
        writer = cv2.VideoWriter(str(options.save), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (WIDTH, HEIGHT))

    def show(pixels: Image) -> None:
        if writer is not None:
            writer.write(pixels)

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        given = settings(Path(folder))
        played = play(script, street, build("plate", given), given, show)
    if writer is not None:
        writer.release()
    found = tally(script, played.seen, BORN)
    print("\n".join(lines(found, given.plate.threshold)))
    print(f"counters: {dict(played.counters)}; {time.monotonic() - began:.0f} s for {script.seconds:.0f} s of film")
    return 0 if found.share(given.plate.threshold) >= 0.97 and not found.false else 1


if __name__ == "__main__":
    sys.exit(main())
