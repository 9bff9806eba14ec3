"""Photographs for validation: upright CCPD crops, and scenes rectified by a detector that is not ours.

Nothing here is trained on but what `taught` takes. The detector (hyperlpr_det_640.onnx) and the yardstick reader
(plate_rec_color.onnx) are third-party weights read from a folder; they see the same crops as our reader.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from models.train.crops import fit
from models.train.paint import Image
from models.train.world import Points, corners_of

DEFAULT_PLATES = Path("../shared/data/plates")
DEFAULT_MODELS = Path("../shared/models")
SIDE = 640
YARDSTICK = (
    "京沪津渝冀晋蒙辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新学警港澳挂使领民航危"
    "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ险品"
)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """One plate found in a photograph: image uint8 [48, 168, 3] BGR; text and colour are the photograph's label."""

    image: Image
    text: str
    colour: str
    file: str

    @property
    def source(self) -> str:
        """The folder the photograph comes from."""
        return self.file.split("/")[0]


def session(path: Path) -> ort.InferenceSession:
    """Open a model on one CPU thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _letterbox(image: Image) -> tuple[Image, float, float, float]:
    """Fit the image in the middle of a grey square; return it with scale and shift."""
    height, width = image.shape[:2]
    scale = min(SIDE / height, SIDE / width)
    inner = cv2.resize(image, (round(width * scale), round(height * scale)))
    left, top = (SIDE - inner.shape[1]) // 2, (SIDE - inner.shape[0]) // 2
    square = np.full((SIDE, SIDE, 3), 114, np.uint8)
    square[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return square, scale, left, top


def locate(detector: ort.InferenceSession, image: Image, least: float = 0.3) -> list[tuple[float, Points, int]]:
    """Return the plates in a photograph, best first: score, corners (float32 [4, 2]), rows."""
    square, scale, left, top = _letterbox(image)
    pixels = square[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255
    found = np.asarray(detector.run(None, {"images": pixels})[0])[0]
    score = found[:, 4] * found[:, 13:15].max(1)
    kept: list[tuple[float, Points, int]] = []
    for index in np.argsort(-score):
        if score[index] < least:
            break
        quad = ((found[index, 5:13].reshape(4, 2) - (left, top)) / scale).astype(np.float32)
        centre, reach = quad.mean(0), np.linalg.norm(quad[1] - quad[0]) / 2
        if all(np.linalg.norm(centre - other.mean(0)) > reach for _, other, _ in kept):
            kept.append((float(score[index]), quad, 1 + int(found[index, 14] > found[index, 13])))
    return kept


def rectify(image: Image, quad: Points, rows: int, widen: tuple[float, float] = (0.0, 0.0)) -> Image:
    """Cut a quad (tl, tr, br, bl) out as uint8 [48, 168, 3]; `widen` grows it by shares of its width and height."""
    across = (quad[1] - quad[0] + quad[2] - quad[3]) / 2 * widen[0]
    down = (quad[3] - quad[0] + quad[2] - quad[1]) / 2 * widen[1]
    grown = (quad + np.stack((-across - down, across - down, across + down, down - across))).astype(np.float32)
    width = max(np.linalg.norm(grown[1] - grown[0]), np.linalg.norm(grown[2] - grown[3]))
    height = max(np.linalg.norm(grown[3] - grown[0]), np.linalg.norm(grown[2] - grown[1]))
    size = max(8, round(float(width))), max(6, round(float(height)))
    matrix = cv2.getPerspectiveTransform(grown, corners_of(*size))
    return fit(np.asarray(cv2.warpPerspective(image, matrix, size), np.uint8), rows)


def photographs(plates: Path, models: Path) -> Iterator[Photo]:
    """Yield every labelled crop, and of every scene the three best detections: some show several cars."""
    detector = session(models / "hyperlpr_det_640.onnx")
    with (plates / "labels.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            pixels = cv2.imread(str(plates / row["file"]))
            if pixels is None:
                raise FileNotFoundError(plates / row["file"])
            image, label = np.asarray(pixels, np.uint8), (row["plate"], row["colour"], row["file"])
            if row["kind"] == "crop":
                yield Photo(fit(image, 1), *label)
                continue
            for _, quad, rows in locate(detector, image)[:3]:
                yield Photo(rectify(image, quad, rows), *label)


def greedy(frames: np.ndarray, alphabet: str) -> str:
    """Best path of CTC: `frames` [t, classes], index 0 blank, then `alphabet` in order."""
    best = frames.argmax(1)
    kept = [int(now) for now, before in zip(best, np.append(0, best[:-1]), strict=True) if now and now != before]
    return "".join(alphabet[index - 1] for index in kept)


def read_with_yardstick(reader: ort.InferenceSession, photos: list[Photo]) -> list[str]:
    """Read the crops with plate_rec_color.onnx."""
    texts = []
    for photo in photos:
        pixels = ((photo.image.astype(np.float32) / 255 - 0.588) / 0.193).transpose(2, 0, 1)[None]
        texts.append(greedy(np.asarray(reader.run(["plate"], {"images": pixels})[0])[0], YARDSTICK))
    return texts


def same(read: str, label: str) -> bool:
    """Whether a reading is right; letter O counts as zero, as the yardstick and some labels have no O."""
    return read.replace("O", "0") == label.replace("O", "0")


def tally(photos: list[Photo], texts: list[str]) -> dict[str, tuple[int, int]]:
    """Return photographs read exactly and all photographs, by source; a scene counts if any plate in it is right."""
    right: dict[str, dict[str, bool]] = {}
    for photo, text in zip(photos, texts, strict=True):
        files = right.setdefault(photo.source, {})
        files[photo.file] = files.get(photo.file, False) or same(text, photo.text)
    return {source: (sum(files.values()), len(files)) for source, files in right.items()}
