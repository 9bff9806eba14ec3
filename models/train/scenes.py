"""Scenes of 640x384 with plates whose four corners are known exactly, composed for detector and refiner.

    python -m models.train.scenes --out /var/tmp/scenes --shards 48 --seed 7

writes scenes-0000.npz ... with 256 scenes each (190 MB uncompressed; some 10 ms of one core a scene);
`--preview 20` writes one PNG with outlined corners instead. Every 10th background is left out of training.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from gateway.vision.quads import GREY, boxes_of, overlap
from models.train.glyphs import DEFAULT_GLYPHS, Glyphs
from models.train.numbers import COLOURS, Number, Random, invent
from models.train.plates import Plate, draw
from models.train.scenery import LEFT, TOP, Car, decoy, stamp
from models.train.weather import spoil

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

INPUT_WIDTH, INPUT_HEIGHT = 640, 384  # of the detector
DEFAULT_BACKGROUNDS = Path("../shared/data/backgrounds")
PLATE, IGNORED = 1, 2
PER_SHARD, MOST_LABELS = 256, 6
NARROWEST, WIDEST = 16.0, 290.0
TWO_ROWS = frozenset({"yellow_rear", "trailer", "motorcycle_blue", "motorcycle"})


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """A plate in a scene: quad float32 [4, 2] tl tr br bl; kind PLATE or IGNORED; colour indexes COLOURS."""

    quad: Floats
    kind: int
    rows: int
    colour: int


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """A flat picture and the homography from its pixels to the scene; `unit` px of the flat picture a width."""

    image: Image
    matrix: Matrix
    quad: Floats
    kind: int
    rows: int
    colour: int
    car: bool


def backgrounds(folder: Path, held_out: bool = False) -> list[Path]:
    """Sorted background files: nine tenths for training, every 10th held out."""
    files = sorted(folder.glob("*.jpg"))
    return [file for index, file in enumerate(files) if (index % 10 == 9) == held_out]


def turn(rng: Random, width: float) -> Matrix:
    """A pose that cameras meet, half of them askew; see `pose`."""
    roll = rng.uniform(-45, 45) if rng.random() < 0.5 else rng.normal(0, 5)
    yaw = np.clip(rng.normal(0, 28), -62, 62)
    pitch = np.clip(rng.normal(8, 16), -45, 45)
    return pose(rng, width, (roll, yaw, pitch))


def pose(rng: Random, width: float, angles: tuple[float, float, float]) -> Matrix:
    """Homography from plate units (plate width 1, origin at its centre) to pixels around (0, 0).

    `width`: pixels the plate is wide; `angles`: roll, yaw and pitch in degrees.
    """
    roll, yaw, pitch = np.deg2rad(angles)
    rot_z, _ = cv2.Rodrigues(np.array([0, 0, roll]))
    rot_y, _ = cv2.Rodrigues(np.array([0, yaw, 0]))
    rot_x, _ = cv2.Rodrigues(np.array([pitch, 0, 0]))
    matrix = np.asarray(rot_z @ rot_x @ rot_y, np.float64)
    matrix[:, 2] = (0, 0, rng.uniform(4.5, 14))
    ends = cv2.perspectiveTransform(np.array([[[-0.5, 0], [0.5, 0]]], np.float64), matrix)[0]
    return np.diag([width / np.linalg.norm(ends[1] - ends[0])] * 2 + [1.0]) @ matrix


def quad_of(matrix: Matrix, width: int, height: int) -> Floats:
    """Corners of a flat picture of that size, sent through the homography; pixel centres are whole numbers."""
    right, bottom = width - 0.5, height - 0.5
    corners = np.array([[[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]]], np.float64)
    return np.asarray(cv2.perspectiveTransform(corners, matrix)[0], np.float32)


def flat_plate(rng: Random, glyphs: Glyphs, width: float, number: Number | None = None) -> tuple[Image, Plate]:
    """A plate drawn larger and shrunk to about its size in the scene, with light of its own."""
    scale = 0.3 if width < 110 else 0.5 if width < 190 else 0.75
    if number is None and rng.random() < 0.12:
        number = invent(rng, TWO_ROWS)
    plate = draw(rng, glyphs, scale, number)
    across = int(min(plate.image.shape[1], max(24, width * 1.1)))
    size = (across, max(8, round(across * plate.image.shape[0] / plate.image.shape[1])))
    image = cv2.resize(plate.image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    left, right, top, bottom = (float(side) for side in rng.uniform(0.8, 1.15, 4))
    light = np.linspace(left, right, size[0], dtype=np.float32)[None, :, None]
    light = light * np.linspace(top, bottom, size[1], dtype=np.float32)[:, None, None]
    image = image * light * rng.uniform(0.6, 1.1)
    if rng.random() < 0.15:
        image[:, : int(rng.integers(size[0]))] *= rng.uniform(0.3, 0.8)
    if rng.random() < 0.15:
        image += rng.uniform(20, 110)
    return np.clip(image, 0, 255).astype(np.uint8), plate


def thing(rng: Random, glyphs: Glyphs, is_plate: bool, area: tuple[int, int]) -> Thing:
    """Draw a plate or a decoy and choose its pose and place in an area (width, height)."""
    width = float(np.exp(rng.uniform(np.log(NARROWEST), np.log(WIDEST))))
    width = min(width, area[0] * 0.8)
    if is_plate:
        image, plate = flat_plate(rng, glyphs, width)
        kind, rows, colour = PLATE, plate.rows, COLOURS.index(plate.colour)
    else:
        panel = decoy(rng, glyphs, max(24, round(width * 1.1)))
        image, rows, colour = panel.image, 1, 0
        kind = IGNORED if panel.doubtful and width < 70 else 0
    if rows == 2:
        width *= rng.uniform(0.6, 1.0)
    matrix = stand(rng, image, turn(rng, width), area, inset=0.2 if rng.random() < 0.12 else 1.0)
    with_car = rng.random() < (0.65 if is_plate else 0.25)
    return Thing(image, matrix, quad_of(matrix, *image.shape[1::-1]), kind, rows, colour, with_car)


def stand(rng: Random, image: Image, posed: Matrix, area: tuple[int, int], inset: float = 1.0) -> Matrix:
    """Choose a place in the area for a flat picture in a pose; with less than 1 `inset` parts may lie outside."""
    height, across = image.shape[:2]
    to_units = np.array([[1 / across, 0, (0.5 - across / 2) / across], [0, 1 / across, (0.5 - height / 2) / across],
                         [0, 0, 1]])  # fmt: skip
    reach = boxes_of(quad_of(posed @ to_units, across, height)[None])[0]
    low, high = -reach[:2] * inset, np.array(area) - reach[2:] * inset
    centre = rng.uniform(np.minimum(low, high), np.maximum(low, high))
    return np.asarray(np.array([[1, 0, centre[0]], [0, 1, centre[1]], [0, 0, 1]]) @ posed @ to_units, np.float64)


def paste(scene: Image, image: Image, cover: Image | None, matrix: Matrix) -> None:
    """Draw a flat picture into the scene, in place, through the homography."""
    height, width = image.shape[:2]
    left, top, right, bottom = boxes_of(quad_of(matrix, width, height)[None])[0]
    x, y = max(0, int(left) - 1), max(0, int(top) - 1)
    size = (min(scene.shape[1], int(right) + 2) - x, min(scene.shape[0], int(bottom) + 2) - y)
    if size[0] <= 0 or size[1] <= 0:
        return
    local = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]], np.float64) @ matrix
    cover = np.full((height, width), 255, np.uint8) if cover is None else cover
    drawn = cv2.warpPerspective(image, local, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpPerspective(cover, local, size, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    view = scene[y : y + size[1], x : x + size[0]]
    view[:] = cv2.blendLinear(drawn, np.ascontiguousarray(view), alpha, 1 - alpha)


def park(rng: Random, scene: Image, item: Thing) -> None:
    """Draw a car body around a plate, in the plate's own perspective."""
    height, across = item.image.shape[:2]
    unit = min(float(np.linalg.norm(item.quad[1] - item.quad[0])), 150.0)
    car = Car(rng, max(unit, 20.0), height / across)
    car.draw()
    step = across / max(unit, 20.0)
    to_flat = np.array([[step, 0, across / 2 - LEFT * across], [0, step, height / 2 - TOP * across], [0, 0, 1]])
    depth = (item.matrix @ to_flat)[2] @ np.array(
        [[0, 0, 1], [car.cover.shape[1], 0, 1], [0, car.cover.shape[0], 1], [*car.cover.shape[::-1], 1]]
    ).T
    if depth.min() > 0.5:
        paste(scene, car.image, car.cover, item.matrix @ to_flat)


def label(item: Thing, scene: Image) -> Label:
    """What training is told: plates cut off by more than a quarter or without contrast are ignored."""
    height, width = scene.shape[:2]
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    area = cv2.contourArea(item.quad)
    inside, _ = cv2.intersectConvexConvex(item.quad, frame)
    left, top, right, bottom = np.clip(boxes_of(item.quad[None])[0], 0, [width, height] * 2).astype(int)
    seen = scene[top : bottom + 1, left : right + 1]
    clear = inside > 0.75 * area and seen.size > 0 and float(cv2.cvtColor(seen, cv2.COLOR_BGR2GRAY).std()) > 4.5
    kind = item.kind if clear else IGNORED
    return Label(item.quad, kind, item.rows, item.colour)


def backdrop(rng: Random, files: list[Path], area: tuple[int, int]) -> Image:
    """A random part of a random background, stretched a little, mirrored half the time."""
    image = cv2.imread(str(files[int(rng.integers(len(files)))]))
    if image is None:
        raise FileNotFoundError(files[0].parent)
    height, width = image.shape[:2]
    part_w, part_h = (int(side * rng.uniform(0.45, 1.0)) for side in (width, height))
    x, y = int(rng.integers(width - part_w + 1)), int(rng.integers(height - part_h + 1))
    part = np.ascontiguousarray(image[y : y + part_h, x : x + part_w])
    resized = cv2.resize(part, area, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.flip(resized, 1) if rng.random() < 0.5 else resized, np.uint8)


def compose(rng: Random, glyphs: Glyphs, files: list[Path]) -> tuple[Image, list[Label]]:
    """Return a scene uint8 [384, 640, 3] BGR and its labels."""
    area = (INPUT_WIDTH, INPUT_HEIGHT)
    if rng.random() < 0.35:  # a letterboxed picture of another shape
        area = (int(rng.integers(200, 640)), 384) if rng.random() < 0.6 else (640, int(rng.integers(250, 384)))
    scene = backdrop(rng, files, area)
    things: list[Thing] = []
    plates, decoys = int(rng.choice(4, p=[0.12, 0.48, 0.26, 0.14])), int(rng.choice(4, p=[0.3, 0.35, 0.2, 0.15]))
    for index in range(plates + decoys):
        item = thing(rng, glyphs, index < plates, area)
        boxes = boxes_of(np.array([other.quad for other in things], np.float32).reshape(-1, 4, 2))
        if not (overlap(boxes_of(item.quad[None])[0], boxes) > 0.0).any():
            things.append(item)
    things.sort(key=lambda item: float(np.ptp(item.quad[:, 0])))
    for item in things:
        if item.car:
            park(rng, scene, item)
    for item in things:
        paste(scene, item.image, None, item.matrix)
    scene = spoil(rng, scene)
    if rng.random() < 0.2:
        stamp(rng, scene)
    labels = [label(item, scene) for item in things if item.kind]
    canvas = np.full((INPUT_HEIGHT, INPUT_WIDTH, 3), GREY, np.uint8)
    canvas[: area[1], : area[0]] = scene
    return canvas, labels


def render(seed: int, shard: int, glyphs: Glyphs, files: list[Path]) -> dict[str, npt.NDArray[np.generic]]:
    """One shard: images uint8 [256, 384, 640, 3] and labels padded to six a scene (kind 0: none)."""
    rng = np.random.default_rng([seed, shard])
    images = np.empty((PER_SHARD, INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
    quads = np.zeros((PER_SHARD, MOST_LABELS, 4, 2), np.float32)
    traits = np.zeros((PER_SHARD, MOST_LABELS, 3), np.uint8)
    for index in range(PER_SHARD):
        images[index], labels = compose(rng, glyphs, files)
        for slot, found in enumerate(labels[:MOST_LABELS]):
            quads[index, slot] = found.quad
            traits[index, slot] = found.kind, found.rows, found.colour
    return {"images": images, "quads": quads, "traits": traits}


def preview(path: Path, count: int, seed: int, glyphs: Glyphs, files: list[Path]) -> None:
    """Write some scenes with outlined corners (green plates, red ignored) as one picture."""
    rng, tiles = np.random.default_rng(seed), []
    for _ in range(count):
        image, labels = compose(rng, glyphs, files)
        for found in labels:
            tone = (0, 255, 0) if found.kind == PLATE else (0, 0, 255)
            cv2.polylines(image, [np.round(found.quad).astype(np.int32)], True, tone, 1, cv2.LINE_AA)
        tiles.append(image)
    cv2.imwrite(str(path), np.vstack([np.hstack(tiles[i : i + 4]) for i in range(0, count - 3, 4)]))


def main() -> None:
    """Render the shards that do not exist yet, in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=48)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--glyphs", type=Path, default=DEFAULT_GLYPHS)
    parser.add_argument("--backgrounds", type=Path, default=DEFAULT_BACKGROUNDS)
    parser.add_argument("--held-out", action="store_true", help="use the backgrounds kept out of training")
    parser.add_argument("--preview", type=int, default=0)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    glyphs, files = Glyphs(options.glyphs), backgrounds(options.backgrounds, options.held_out)
    if options.preview:
        preview(options.out / "preview.png", options.preview, options.seed, glyphs, files)
        return
    for shard in range(options.shards):
        path = options.out / f"scenes-{shard:04d}"
        if not path.with_suffix(".done").exists():
            for name, array in render(options.seed, shard, glyphs, files).items():
                np.save(f"{path}-{name}.npy", array)
            path.with_suffix(".done").touch()


if __name__ == "__main__":
    main()
