"""Third-party models of ../shared behind our seams, to try the rest of the pipeline against something known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gateway.plate_rules import BLACK, BLUE, GREEN, WHITE, YELLOW
from gateway.vision import quads
from gateway.vision.grammar import PLAIN
from gateway.vision.plates import PlateDetection, PlateRead
from gateway.vision.session import Session

if TYPE_CHECKING:
    from gateway.types import Image

ALPHABET = (
    "京沪津渝冀晋蒙辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新学警港澳挂使领民航危"
    "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ险品"
)


class HyperDetector:
    """hyperlpr_det_640: 1x3x640x640 RGB letterboxed in the centre; rows of cx,cy,w,h,obj,4 corners,single,double."""

    def __init__(self, models: Path, score: float = 0.3) -> None:
        self._session = Session(models / "hyperlpr_det_640.onnx")
        self._score = score

    def detect(self, image: Image) -> list[PlateDetection]:
        height, width = image.shape[:2]
        scale = min(640 / width, 640 / height)
        small = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
        left, top = (640 - small.shape[1]) // 2, (640 - small.shape[0]) // 2
        canvas = np.full((640, 640, 3), 114, np.uint8)
        canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
        tensor = canvas[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
        rows = self._session.run(np.ascontiguousarray(tensor))[0][0]
        score = rows[:, 4] * rows[:, 13:15].max(axis=1)
        kept: list[PlateDetection] = []
        for index in np.argsort(-score)[:200]:
            if score[index] < self._score:
                break
            quad = ((rows[index, 5:13].reshape(4, 2) - (left, top)) / scale).astype(np.float32)
            one = PlateDetection(quad, float(score[index]), float(rows[index, 14] > rows[index, 13]), {})
            if quads.is_sound(quad, width, height) and all(one.box.iou(other.box) < 0.5 for other in kept):
                kept.append(one)
        return kept


class ColourReader:
    """plate_rec_color: Nx3x48x168 BGR, (x/255-0.588)/0.193; logits Nx21x78, blank 0; colours Nx5."""

    calibration = PLAIN
    threshold = 0.0

    def __init__(self, models: Path) -> None:
        self._session = Session(models / "plate_rec_color.onnx")

    def read(self, image: Image, detections: Sequence[PlateDetection]) -> list[PlateRead]:
        if not detections:
            return []
        cuts = [quads.crop(image, one.quad, two_rows=one.two_rows) for one in detections]
        tensor = (np.stack(cuts).transpose(0, 3, 1, 2).astype(np.float32) / 255 - 0.588) / 0.193
        logits, colours = self._session.run(tensor.astype(np.float32))
        codes = (BLACK, BLUE, GREEN, WHITE, YELLOW)
        return [
            PlateRead(
                _softmax(logits[index]),
                ALPHABET,
                dict(zip(codes, (float(share) for share in _softmax(colours[index])), strict=True)),
                2 if one.two_rows else 1,
                one.narrow,
            )
            for index, one in enumerate(detections)
        ]


def _softmax(logits: quads.Floats) -> quads.Floats:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)
