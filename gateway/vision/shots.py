"""Pictures of a plate for the record: the crop that was read, and the scene around it made coarse.

Rule: no face leaves the camera's memory. In a scene everything but the plate is drawn in blocks as wide as half a face
at the plate's distance, and never more of them than leave a face that is much nearer unrecognisable, whoever stands
there; this needs no face to be found first.
"""

from __future__ import annotations

from collections.abc import Collection
from math import ceil
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from gateway.types import Box, Shot, ShotKind
from gateway.wire import MOST_BYTES

if TYPE_CHECKING:
    from gateway.types import Image

_AIR_X, _AIR_Y = 0.08, 0.25  # of the plate's width and height, kept around it
_WIDEST: Final = 480  # of a plate's picture, in pixels
_LONGEST: Final = 1280  # side of a scene
_BLOCK_MM, _PLATE_MM = 80.0, 440.0  # half of a face's width; a plate's
MOST_BLOCKS: Final = 32  # along a picture's longer side
_QUALITIES: Final = (88, 70, 50)  # of JPEG: the first that is small enough
_COMPARED: Final = (96, 32)  # size in which plates are compared for sharpness
_SHARP: Final = 400.0  # variance of the Laplacian at which a plate is half as sharp as can be
_LARGE: Final = 160.0  # width in pixels from which a plate gains nothing by more


def quality(pixels: Image, box: Box, confidence: float) -> float:
    """How well a plate is seen, 0..1: sharpness x size x confidence."""
    crop = _cut(pixels, box, 0.0, 0.0)
    if crop is None:
        return 0.0
    grey = cv2.cvtColor(cv2.resize(crop, _COMPARED, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    variance = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return variance / (variance + _SHARP) * min(1.0, box.width / _LARGE) * confidence


def take(pixels: Image, box: Box, kinds: Collection[ShotKind]) -> tuple[Shot, ...]:
    """The pictures of these kinds of the plate at `box`; none where the box lies outside the picture."""
    crop = _cut(pixels, box, _AIR_X, _AIR_Y)
    if crop is None:
        return ()
    shots = []
    if ShotKind.PLATE in kinds:
        shots.append(_encoded(ShotKind.PLATE, _at_most(crop, _WIDEST)))
    if ShotKind.SCENE in kinds:
        shots.append(_encoded(ShotKind.SCENE, _at_most(coarse(pixels, box), _LONGEST)))
    return tuple(shot for shot in shots if shot is not None)


def coarse(pixels: Image, plate: Box) -> Image:
    """The picture in blocks, and the plate alone as it is."""
    scene = in_blocks(pixels, round(plate.width * _BLOCK_MM / _PLATE_MM))
    left, top, right, bottom = _edges(pixels, plate, _AIR_X, _AIR_Y)
    scene[top:bottom, left:right] = pixels[top:bottom, left:right]
    return scene


def in_blocks(pixels: Image, least: int = 1) -> Image:
    """The picture in blocks of at least `least` pixels, and at most `MOST_BLOCKS` of them in a row or column."""
    height, width = pixels.shape[:2]
    block = max(least, ceil(max(height, width) / MOST_BLOCKS))
    small = cv2.resize(pixels, (max(1, width // block), max(1, height // block)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _cut(pixels: Image, box: Box, air_x: float, air_y: float) -> Image | None:
    left, top, right, bottom = _edges(pixels, box, air_x, air_y)
    if right - left < 2 or bottom - top < 2:
        return None
    return pixels[top:bottom, left:right]


def _edges(pixels: Image, box: Box, air_x: float, air_y: float) -> tuple[int, int, int, int]:
    """The box with some air, as whole pixels inside the picture."""
    height, width = pixels.shape[:2]
    x, y = air_x * box.width, air_y * box.height
    left, right = np.clip([round(box.left - x), round(box.right + x)], 0, width)
    top, bottom = np.clip([round(box.top - y), round(box.bottom + y)], 0, height)
    return int(left), int(top), int(right), int(bottom)


def _at_most(picture: Image, longest: int) -> Image:
    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _encoded(kind: ShotKind, picture: Image) -> Shot | None:
    for level in _QUALITIES:
        done, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, level])
        if done and len(jpeg) <= MOST_BYTES[kind]:
            return Shot(kind, jpeg.tobytes())
    return None
