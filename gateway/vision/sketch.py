"""A picture that may be saved for the one who aims a camera: where things are, with nobody to be recognised.

Rule (domain: faces of strangers are never stored): everything is coarse but plates that were read, and every face that
was found is covered besides. So a face that no detector found is coarse too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from gateway.types import Box
from gateway.vision.shots import in_blocks

if TYPE_CHECKING:
    from gateway.types import Image
    from gateway.vision.sightings import FaceSighting, PlateSighting

_AIR: Final = 0.15  # around a plate, of its size
_WHITE, _BLACK, _GREEN, _GREY = (255, 255, 255), (0, 0, 0), (80, 220, 80), (120, 120, 120)
_LINE_SHARE: Final = 0.028  # height of a line of text, of the picture's height


def sketch(
    pixels: Image,
    plates: Sequence[PlateSighting],
    faces: Sequence[FaceSighting],
    *,
    roi: Sequence[tuple[float, float]],
    lines: Sequence[str],
) -> Image:
    """Coarse, with plates sharp and faces covered, both framed; `lines` of text stand at the bottom."""
    height, width = pixels.shape[:2]
    drawn = in_blocks(pixels)
    for plate in plates:
        rows, columns = _within(plate.box, _AIR, width, height)
        drawn[rows, columns] = pixels[rows, columns]
    for face in faces:  # after the plates: a face is covered wherever it is
        drawn[_within(face.box, 0.1, width, height)] = _GREY
        _frame(drawn, face.box, _WHITE)
    for plate in plates:
        _frame(drawn, plate.box, _GREEN)
    if len(roi) >= 3:
        corners = np.array([(round(x * width), round(y * height)) for x, y in roi], np.int32)
        cv2.polylines(drawn, [corners], isClosed=True, color=_WHITE, thickness=2)
    _write(drawn, lines)
    return drawn


def sharpness(pixels: Image, box: Box | None = None) -> float:
    """How sharp a picture is, or a part of it: the variance of its Laplacian. Only comparable before one camera."""
    if box is not None:
        height, width = pixels.shape[:2]
        pixels = pixels[_within(box, 0.0, width, height)]
    if not pixels.size:
        return 0.0
    edges: Any = cv2.Laplacian(np.ascontiguousarray(pixels[..., 1]), cv2.CV_32F)
    return float(edges.var())


def _within(box: Box, air: float, width: int, height: int) -> tuple[slice, slice]:
    across, down = box.width * air, box.height * air
    rows = slice(max(0, int(box.top - down)), max(0, min(height, int(box.bottom + down) + 1)))
    return rows, slice(max(0, int(box.left - across)), max(0, min(width, int(box.right + across) + 1)))


def _frame(drawn: Image, box: Box, colour: tuple[int, int, int]) -> None:
    cv2.rectangle(drawn, (int(box.left), int(box.top)), (int(box.right), int(box.bottom)), colour, 2)


def _write(drawn: Image, lines: Sequence[str]) -> None:
    size = max(12, round(drawn.shape[0] * _LINE_SHARE))
    font = cv2.FontFace("uni")  # has Chinese
    for number, line in enumerate(reversed(lines)):
        at = (size // 2, drawn.shape[0] - size // 2 - round(1.5 * size) * number)
        for shift, colour in ((2, _BLACK), (0, _WHITE)):
            cv2.putText(drawn, line, (at[0] + shift, at[1] + shift), colour, font, size)
