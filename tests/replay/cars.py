"""Cars cut out of photographs: a soft-edged piece of the picture around the labelled plate.

Rule: the shipped models only help to find where to cut, so that a neighbour's plate stays out. A photograph in which
they find nothing is used whole: what cannot be read must count against the reader, not vanish from the film.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.plate_rules import apart
from gateway.types import Box, Plate
from gateway.vision.plates import PlateDetection
from gateway.vision.recogniser import PlateRecogniser

if TYPE_CHECKING:
    from gateway.types import Image

_ACROSS, _ABOVE, _BELOW = 2.1, 2.2, 1.1  # plate widths kept beside, above and below the plate's middle
_SOFT = 0.10  # of the piece fades into the street on each side
_MENDED = {"scenes_easypr/0160.jpg": "粤A9A372"}  # the list says 粤A94372; the photograph shows this
_RELATED = 3  # characters by which a read may differ from the label and still mark the labelled plate


@dataclass(frozen=True, slots=True)
class Car:
    """`piece` (H, W, 3) with `cover` 0..1; `plate` is where the plate lies in the piece.

    `alone`: what the recogniser says of the photograph by itself, the surest first.
    """

    number: str
    photo: str
    alone: str
    piece: Image
    cover: NDArray[np.float32]
    plate: Box


@dataclass(frozen=True, slots=True)
class Photo:
    """One labelled scene. `quad` are the plate's corners where the label gives them."""

    path: Path
    number: str
    quad: NDArray[np.float32] | None


def photos(plates: Path) -> list[Photo]:
    """The labelled whole scenes of `../shared/data/plates`, in the order of the list."""
    with (plates / "labels.csv").open(encoding="utf-8") as rows:
        return [
            Photo(plates / row["file"], _MENDED.get(row["file"], row["plate"]), _corners(row["corners"]))
            for row in csv.DictReader(rows)
            if row["kind"] == "scene"
        ]


def cut(photo: Photo, recogniser: PlateRecogniser) -> Car:
    """The car of one photograph."""
    read: Any = cv2.imread(str(photo.path), cv2.IMREAD_COLOR)
    assert read is not None, photo.path
    picture: Image = read
    height, width = picture.shape[:2]
    found = recogniser.recognise(picture, thorough=True)
    alone = max(found, key=lambda pair: pair[1].confidence)[1].number if found else ""
    plate = _where(photo, found)
    if plate is None:
        assumed = Box(0.42 * width, 0.48 * height, 0.58 * width, 0.53 * height)
        return Car(photo.number, photo.path.name, alone, picture, _soft(height, width, assumed), assumed)
    x, y, size = (plate.left + plate.right) / 2, (plate.top + plate.bottom) / 2, plate.width
    left, right = max(0, int(x - _ACROSS * size)), min(width, int(x + _ACROSS * size))
    top, bottom = max(0, int(y - _ABOVE * size)), min(height, int(y + _BELOW * size))
    for where, other in found:  # one car a passage: the plate of another one behind it is painted over
        if apart(other.number, photo.number) > _RELATED and where.box.iou(plate) == 0:
            _paint_over(picture, where.box)
    piece = picture[top:bottom, left:right].copy()
    inside = Box(plate.left - left, plate.top - top, plate.right - left, plate.bottom - top)
    return Car(photo.number, photo.path.name, alone, piece, _soft(piece.shape[0], piece.shape[1], inside), inside)


def _paint_over(picture: Image, box: Box) -> None:
    """Leave a blur."""
    air = 0.2 * box.height
    left, top, right, bottom = (
        round(side) for side in (box.left - air, box.top - air, box.right + air, box.bottom + air)
    )
    part = picture[max(0, top) : bottom, max(0, left) : right]
    part[:] = cv2.blur(part, (max(1, round(box.width)), max(1, round(2 * box.height))))


def _corners(text: str) -> NDArray[np.float32] | None:
    numbers = [float(number) for number in text.replace(";", " ").replace(",", " ").split()]
    return np.array(numbers, np.float32).reshape(4, 2) if len(numbers) == 8 else None


def _where(photo: Photo, found: Sequence[tuple[PlateDetection, Plate]]) -> Box | None:
    if photo.quad is not None:
        (left, top), (right, bottom) = photo.quad.min(axis=0), photo.quad.max(axis=0)
        return Box(float(left), float(top), float(right), float(bottom))
    related = [(apart(plate.number, photo.number), where.box) for where, plate in found]
    return min((pair for pair in related if pair[0] <= _RELATED), key=lambda pair: pair[0], default=(0, None))[1]


def _soft(height: int, width: int, plate: Box) -> NDArray[np.float32]:
    """Full inside, fading at the rim, and never faded over the plate itself."""
    across = np.minimum(np.arange(width), np.arange(width)[::-1]) / max(1.0, _SOFT * width)
    down = np.minimum(np.arange(height), np.arange(height)[::-1]) / max(1.0, _SOFT * height)
    cover = np.clip(np.minimum(across[None], down[:, None]), 0, 1).astype(np.float32)
    air = 0.15 * plate.width
    top, bottom = max(0, int(plate.top - air)), int(plate.bottom + air)
    left, right = max(0, int(plate.left - air)), int(plate.right + air)
    cover[top:bottom, left:right] = 1.0
    return cover
