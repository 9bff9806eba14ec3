"""A recogniser without models, for tests of everything around it: pictures that carry their plates in stripes.

A picture is 16 bright or dark columns over its whole height (bits of a number, least first) under a white cap; all
black means that there is no plate. Run as a script it is the vision child with this recogniser in it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.errors import ModelError
from gateway.settings import Settings
from gateway.types import Box, Frame, Plate
from gateway.vision.looks import Look, Recogniser
from gateway.vision.sightings import FaceMatch, FaceSighting, PlateSighting

COMMAND = (sys.executable, str(Path(__file__).resolve()))
WIDTH, HEIGHT, CAP = 320, 240, 40


def paint(number: int) -> NDArray[np.uint8]:
    """A picture of a car with plate 鄂A and these five digits."""
    bits = np.array([number >> bit & 1 for bit in range(16)], np.uint8)
    picture = np.repeat(bits * 255, WIDTH // 16)[None, :, None] * np.ones((HEIGHT, 1, 3), np.uint8)
    picture[:CAP] = 255
    return picture


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    good, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert good
    return data.tobytes()


def empty() -> NDArray[np.uint8]:
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def plate(number: int, confidence: float = 0.95) -> Plate:
    text = f"鄂A{number:05d}"
    return Plate(text, text, "02", "5", confidence, (confidence,) * 7)


def look_for_plates(frame: Frame) -> list[PlateSighting]:
    width = frame.pixels.shape[1]
    if frame.pixels[: CAP // 2].mean() < 128:
        return []
    columns = frame.pixels[CAP * 2 :].mean(axis=(0, 2)).reshape(16, width // 16).mean(axis=1)
    number = sum(1 << bit for bit, bright in enumerate(columns > 128) if bright)
    return [PlateSighting(Box(10, 100, 150, 140), frame.stamp, plate(number))]


def look_for_faces(frame: Frame) -> list[FaceSighting]:
    if frame.pixels[: CAP // 2].mean() < 128:
        return []
    match = FaceMatch("h:0000000000000001", 0.7, 0.55, 3, "low", "none")
    return [FaceSighting(Box(10, 10, 90, 90), frame.stamp, match)]


def slowly(frame: Frame) -> list[PlateSighting]:
    time.sleep(0.6)
    return look_for_plates(frame)


DEADLY = 666


def fatally(frame: Frame) -> list[PlateSighting]:
    """A look that one picture ends, as a bug of a native library may."""
    found = look_for_plates(frame)
    if found and found[0].plate == plate(DEADLY):
        os.abort()
    return found


def endlessly(frame: Frame) -> list[PlateSighting]:
    """A look that never ends at one picture."""
    found = look_for_plates(frame)
    while found and found[0].plate == plate(DEADLY):
        time.sleep(1)
    return found


_hoard: list[bytes] = []


def hoarding(frame: Frame) -> list[PlateSighting]:
    """A look that keeps some megabytes of what it saw, as a library may."""
    _hoard.append(os.urandom(1 << 20) * 10)
    return look_for_plates(frame)


def build(recogniser: Recogniser, settings: Settings) -> Look:
    if settings.site.name == f"no {recogniser} model":
        raise ModelError("model test is not here", hint="install it")
    odd = {"slow box": slowly, "leaking library": hoarding, "deadly picture": fatally, "endless picture": endlessly}
    return odd.get(settings.site.name, look_for_plates if recogniser == "plate" else look_for_faces)


if __name__ == "__main__":
    from gateway import watch

    watch.main(build)
