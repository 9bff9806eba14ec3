"""The demo's pictures: a car that drives up to a gate, and a portrait that walks into a lobby.

The car is drawn and wears a rendered plate (`plates/`, made by `python -m models.train.demo_plates`). The portrait is
NASA's of Eileen Collins (public domain), which scikit-image ships.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gateway.errors import Rejected
from gateway.extras import install
from gateway.text import Text

if TYPE_CHECKING:
    from gateway.types import Image

WIDTH, HEIGHT = 1280, 720
_EMPTY = 10  # frames without anything before and after a passage


def plate_texture(number: str) -> Image:
    """The flat picture of a rendered plate."""
    path = Path(__file__).parent / "plates" / f"{number}.png"
    texture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert texture is not None
    return texture.astype(np.uint8)


def drive(number: str, paint: tuple[int, int, int], folder: Path, start: int) -> int:
    """Write the frames of one car's passage to `folder`, from number `start`. Returns the next number."""
    texture = plate_texture(number)
    street = _street()
    places = [(0.35 + 0.05 * step, -0.12 + 0.012 * step) for step in range(12)] + [(0.92, 0.02)] * 8
    at = start
    for scale, drift in [*[(0.0, 0.0)] * _EMPTY, *places, *[(0.0, 0.0)] * _EMPTY]:
        frame = street.copy()
        if scale:
            _car(frame, texture, paint, scale, drift)
        at = _write(folder, at, frame)
    return at


def walk_in(folder: Path) -> None:
    """Write the frames of the portrait coming closer to the lobby's camera."""
    portrait = cv2.imread(str(portrait_path()), cv2.IMREAD_COLOR)
    assert portrait is not None
    wall = np.full((HEIGHT, WIDTH, 3), (188, 196, 200), np.uint8)
    wall[520:] = (120, 130, 140)
    at = 0
    sides = [0] * _EMPTY + [260 + 20 * step for step in range(16)] + [560] * 6 + [0] * _EMPTY
    for step, side in enumerate(sides):
        frame = wall.copy()
        if side:
            left = min(WIDTH - side, 60 + step * 24)
            frame[HEIGHT - side :, left : left + side] = cv2.resize(
                portrait, (side, side), interpolation=cv2.INTER_AREA if side < 512 else cv2.INTER_LINEAR
            )
        at = _write(folder, at, frame)


def portrait_path() -> Path:
    """Where scikit-image keeps the portrait, without importing it."""
    try:
        found = next(file for file in files("scikit-image") or () if file.name == "astronaut.png")
    except (PackageNotFoundError, StopIteration) as error:
        raise Rejected(
            Text("演示需要 scikit-image 自带的照片", "the demo needs the portrait that scikit-image ships"),
            hint=install("demo"),
        ) from error
    return Path(str(found.locate()))


def _write(folder: Path, at: int, frame: Image) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    done, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 88])
    assert done
    (folder / f"{at:05d}.jpg").write_bytes(jpeg.tobytes())
    return at + 1


def _street() -> Image:
    """An entrance lane under an overcast sky: kerbs, a wall, a little grain."""
    rows = np.linspace(200, 90, HEIGHT)[:, None, None]
    street = np.broadcast_to(rows, (HEIGHT, WIDTH, 3)) * np.array([1.02, 1.0, 0.97])
    grain = np.random.default_rng(7).normal(0, 4, (HEIGHT, WIDTH, 1))
    frame: Image = np.clip(street + grain, 0, 255).astype(np.uint8)
    cv2.rectangle(frame, (0, 0), (WIDTH, 190), (150, 160, 158), -1)
    for left in range(0, WIDTH, 80):
        cv2.line(frame, (left, 0), (left, 190), (128, 138, 136), 2)
    cv2.fillPoly(frame, [np.array([[0, 720], [0, 560], [330, 190], [380, 190]])], (96, 112, 104))
    cv2.fillPoly(frame, [np.array([[1280, 720], [1280, 560], [950, 190], [900, 190]])], (96, 112, 104))
    return frame


def _car(frame: Image, texture: Image, paint: tuple[int, int, int], scale: float, drift: float) -> None:
    """Draw a car's front, its wheels at the bottom, and warp the plate onto its bumper."""
    width = int(620 * scale)
    middle = int(WIDTH * (0.5 + drift))
    floor = int(240 + 440 * scale)

    def x(part: float) -> int:
        return int(middle + part * width / 2)

    def y(part: float) -> int:
        return int(floor - part * width)

    dark = tuple(int(channel * 0.55) for channel in paint)
    cv2.ellipse(frame, (middle, y(0.0)), (int(width * 0.55), int(width * 0.05)), 0, 0, 360, (60, 60, 60), -1)
    for side in (-0.86, 0.62):
        cv2.rectangle(frame, (x(side), y(0.16)), (x(side + 0.24), y(0.0)), (30, 30, 30), -1)
    roof = np.array([[x(-0.62), y(0.72)], [x(0.62), y(0.72)], [x(0.86), y(0.44)], [x(-0.86), y(0.44)]])
    cv2.fillPoly(frame, [roof], dark)
    glass = np.array([[x(-0.55), y(0.69)], [x(0.55), y(0.69)], [x(0.74), y(0.47)], [x(-0.74), y(0.47)]])
    cv2.fillPoly(frame, [glass], (92, 84, 70))
    cv2.rectangle(frame, (x(-0.95), y(0.45)), (x(0.95), y(0.08)), paint, -1)
    cv2.rectangle(frame, (x(-0.45), y(0.36)), (x(0.45), y(0.26)), (40, 40, 42), -1)
    for row in (0.345, 0.315, 0.285):
        cv2.line(frame, (x(-0.44), y(row)), (x(0.44), y(row)), (96, 96, 98), max(1, width // 160))
    for side in (-0.72, 0.72):
        cv2.ellipse(frame, (x(side), y(0.33)), (int(width * 0.09), int(width * 0.045)), 0, 0, 360, (235, 240, 240), -1)
    cv2.rectangle(frame, (x(-0.95), y(0.12)), (x(0.95), y(0.06)), dark, -1)
    _plate(frame, texture, x(-0.27), y(0.235), x(0.27), width)


def _plate(frame: Image, texture: Image, left: int, top: int, right: int, width: int) -> None:
    """Warp a flat plate onto the car, a little tilted as a camera above the lane sees it."""
    height = (right - left) * texture.shape[0] / texture.shape[1]
    lean = width * 0.004
    corners = np.array(
        [[left, top], [right, top + lean], [right - lean, top + height + lean], [left + lean, top + height]], np.float32
    )
    rows, columns = texture.shape[:2]
    flat = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, corners)
    small = cv2.GaussianBlur(texture, (0, 0), max(0.1, 0.4 * columns / (right - left)))
    warped = cv2.warpPerspective(small, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(np.full((rows, columns), 255, np.uint8), matrix, (WIDTH, HEIGHT))
    frame[mask > 127] = warped[mask > 127]
