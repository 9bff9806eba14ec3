"""Draw the six plates of the demo: flat, clean, 440 px wide, invented numbers.

    python -m models.train.demo_plates [--out gateway/demo/plates]

writes one PNG a plate, named after its text.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from models.train.glyphs import DEFAULT_GLYPHS, Glyphs
from models.train.numbers import Number
from models.train.plates import draw

WIDTH = 440
# Each number with the seed whose colours look most like a new plate.
NUMBERS = (
    (Number("鄂J12345", "blue", "one_row"), 7),
    (Number("京A8F001", "blue", "one_row"), 5),
    (Number("粤BD12345", "green", "green_small"), 6),
    (Number("鄂JF06688", "green", "green_small"), 1),
    (Number("沪B30527", "yellow", "one_row"), 6),
    (Number("川A102K学", "yellow", "one_row"), 6),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--glyphs", type=Path, default=DEFAULT_GLYPHS)
    parser.add_argument("--out", type=Path, default=Path("gateway/demo/plates"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    glyphs = Glyphs(options.glyphs)
    for number, seed in NUMBERS:
        plate = draw(np.random.default_rng(seed), glyphs, number=number, clean=True)
        size = WIDTH, round(plate.image.shape[0] * WIDTH / plate.image.shape[1])
        packed = cv2.imencode(".png", cv2.resize(plate.image, size, interpolation=cv2.INTER_AREA))[1]
        (options.out / f"{number.text}.png").write_bytes(packed.tobytes())


if __name__ == "__main__":
    main()
