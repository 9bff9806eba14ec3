"""Measure detector and refiner on photographs and on held-out rendered scenes, beside a third-party detector.

    python -m models.train.evaluate_detector

reads every labelled scene with the same reader (plate_rec_color.onnx) behind each way of finding plates, and counts
false boxes on photographs of faces and on the backgrounds that training never saw. Two scenes more or less are noise.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from gateway.vision.catalogue import open_model
from gateway.vision.plates import PlateDetection, PlateFinder
from gateway.vision.plates.corner_map import CornerMap
from gateway.vision.plates.refiner import CornerPatch
from gateway.vision.quads import Floats, boxes_of, crop, overlap, widen
from models.train.glyphs import DEFAULT_GLYPHS, Glyphs
from models.train.photos import DEFAULT_MODELS, DEFAULT_PLATES, Photo, locate, read_with_yardstick, same, session
from models.train.scenes import DEFAULT_BACKGROUNDS, PLATE, Image, Label, backgrounds, compose

DEFAULT_FACES = Path("../shared/data/faces")
HELD_OUT_SEED, RENDERED = 8, 600
READ_AT_MOST = 4

Find = Callable[[Image], list[PlateDetection]]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A labelled photograph; `quad` are its true corners where known, else what the third party found best."""

    image: Image
    text: str
    source: str
    quad: Floats
    exact: bool


def load(path: Path) -> Image:
    """Read a photograph."""
    image = cv2.imread(str(path))
    if image is None:
        raise FileNotFoundError(path)
    return np.asarray(image, np.uint8)


def third_party(models: Path) -> Find:
    """hyperlpr_det_640 at its usual 0.3."""
    detector = session(models / "hyperlpr_det_640.onnx")
    return lambda image: [PlateDetection(quad, score, rows - 1.0, {}) for score, quad, rows in locate(detector, image)]


def photographed(plates: Path, reference: Find) -> list[Scene]:
    """Every labelled scene."""
    scenes = []
    with (plates / "labels.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if row["kind"] != "scene":
                continue
            image, known = load(plates / row["file"]), bool(row["corners"])
            if known:
                quad = np.array([pair.split(",") for pair in row["corners"].split()], np.float32)
            else:
                quad = next((c.quad for c in reference(image)), np.zeros((4, 2), np.float32))
            scenes.append(Scene(image, row["plate"], row["file"].split("/")[0], quad, known))
    return scenes


def closest(quad: Floats, found: list[PlateDetection]) -> tuple[float, float]:
    """Overlap with the nearest candidate, and its mean corner distance in plate widths."""
    if not found:
        return 0.0, float("nan")
    quads = np.array([candidate.quad for candidate in found])
    shared = overlap(boxes_of(quad[None])[0], boxes_of(quads))
    best = int(shared.argmax())
    off = np.linalg.norm(quads[best] - quad, axis=1).mean() / np.linalg.norm(quad[1] - quad[0])
    return float(shared[best]), float(off)


def read(scene: Scene, found: list[PlateDetection], reader: ort.InferenceSession, grow: tuple[float, float]) -> bool:
    """Whether any of the best plates of a scene reads as labelled."""
    crops = [crop(scene.image, widen(item.quad, *grow), two_rows=item.two_rows) for item in found[:READ_AT_MOST]]
    photos = [Photo(image, scene.text, "", "") for image in crops]
    return any(same(text, scene.text) for text in read_with_yardstick(reader, photos))


def on_photographs(
    name: str, find: Find, scenes: list[Scene], reader: ort.InferenceSession, grow: tuple[float, float]
) -> None:
    """Print scenes read, scenes located and corner error."""
    found = [find(scene.image) for scene in scenes]
    sources = sorted({scene.source for scene in scenes})
    right = [read(scene, item, reader, grow) for scene, item in zip(scenes, found, strict=True)]
    near = [closest(scene.quad, item) for scene, item in zip(scenes, found, strict=True)]
    off = [error for scene, (shared, error) in zip(scenes, near, strict=True) if scene.exact and shared > 0.3]
    counts = (
        f"{source[7:]} {sum(r for s, r in zip(scenes, right, strict=True) if s.source == source)}"
        f"/{sum(s.source == source for s in scenes)}"
        for source in sources
    )
    print(
        f"{name}: read {sum(right)}/{len(scenes)} ({', '.join(counts)}), located {sum(s > 0.4 for s, _ in near)}, "
        f"corner error {100 * np.mean(off):.2f} % of width ({len(off)} CCPD), "
        f"more boxes {sum(max(0, len(item) - 1) for item in found)}",
        flush=True,
    )


def on_nothing(name: str, find: Find, files: list[Path], what: str) -> None:
    """Print the boxes found where there is no plate."""
    print(f"{name}: {sum(len(find(load(file))) for file in files)} boxes on {len(files)} {what}", flush=True)


def tilt(quad: Floats) -> float:
    """Angle of a plate's upper side to the horizon, in degrees."""
    x, y = quad[1] - quad[0]
    return float(abs(np.degrees(np.arctan2(y, x))))


GROUPS: dict[str, Callable[[Label], bool]] = {
    "all": lambda _: True,
    "tilt > 20": lambda label: tilt(label.quad) > 20,
    "< 40 px": lambda label: float(np.linalg.norm(label.quad[1] - label.quad[0])) < 40,
    "< 24 px": lambda label: float(np.linalg.norm(label.quad[1] - label.quad[0])) < 24,
    "two rows": lambda label: label.rows == 2,
}


def on_rendered(name: str, find: Find, scenes: list[tuple[Image, list[Label]]]) -> None:
    """Print recall by kind of plate, corner error and false boxes on rendered scenes."""
    marks: list[tuple[Label, float, float]] = []
    false = 0
    for image, labels in scenes:
        found = find(image)
        marks += [(label, *closest(label.quad, found)) for label in labels if label.kind == PLATE]
        false += sum(
            closest(item.quad, [PlateDetection(x.quad, 1.0, 0.0, {}) for x in labels])[0] < 0.1 for item in found
        )
    parts = []
    for group, belongs in GROUPS.items():
        hits = [shared > 0.4 for label, shared, _ in marks if belongs(label)]
        parts.append(f"{group} {100 * np.mean(hits):.1f} % of {len(hits)}")
    off = [error for _, shared, error in marks if shared > 0.4]
    print(
        f"{name}: rendered {', '.join(parts)}; corners {100 * np.mean(off):.2f} % of width; false {false}", flush=True
    )


def pace(find: Find, image: Image) -> float:
    """Median processor milliseconds of one picture."""
    spent = []
    for _ in range(30):
        begun = time.process_time()
        find(image)
        spent.append(time.process_time() - begun)
    return 1e3 * float(np.median(spent))


def main() -> None:
    """Print one line for each way of finding plates and each collection."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path, default=Path("models/plate-detector"))
    parser.add_argument("--refiner", type=Path, default=Path("models/plate-refiner"))
    parser.add_argument("--plates", type=Path, default=DEFAULT_PLATES)
    parser.add_argument("--models", type=Path, default=DEFAULT_MODELS)
    parser.add_argument("--faces", type=Path, default=DEFAULT_FACES)
    parser.add_argument("--backgrounds", type=Path, default=DEFAULT_BACKGROUNDS)
    parser.add_argument("--glyphs", type=Path, default=DEFAULT_GLYPHS)
    parser.add_argument("--quick", action="store_true", help="only the photographs, only our own")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    reference, reader = third_party(options.models), session(options.models / "plate_rec_color.onnx")
    scenes = photographed(options.plates, reference)
    empty, faces = backgrounds(options.backgrounds, held_out=True), sorted(options.faces.rglob("*.jpg"))
    detector, refiner = CornerMap(open_model(options.detector)), CornerPatch(open_model(options.refiner))
    ways: dict[str, tuple[Find, tuple[float, float]]] = {
        "detector alone": (detector.propose, (0.025, 0.065)),
        "detector + refiner": (PlateFinder(detector, refiner).detect, (0.02, 0.05)),
    }
    if not options.quick:
        ways["hyperlpr_det_640"] = (reference, (0.0, 0.0))
    rng, glyphs = np.random.default_rng(HELD_OUT_SEED), Glyphs(options.glyphs)
    rendered = [compose(rng, glyphs, empty) for _ in range(RENDERED if not options.quick else RENDERED // 3)]
    for name, (find, grow) in ways.items():
        on_photographs(name, find, scenes, reader, grow)
        on_nothing(name, find, faces, "photographs of faces")
        on_nothing(name, find, empty, "held-out backgrounds")
        on_rendered(name, find, rendered)
        print(f"{name}: {pace(find, scenes[0].image):.1f} ms a scene", flush=True)


if __name__ == "__main__":
    main()
