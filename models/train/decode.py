"""Post-processing of the plate detector and the plate refiner, numpy and cv2 only.

This is the reference that training and evaluation use; the gateway's adapter mirrors it. The walk of a frame:

    letterbox -> detector -> vote -> rectify (each) -> refiner -> place -> suppress -> widen -> crop

A quad is float32 (4, 2): top left, top right, bottom right, bottom left of the plate as read, in pixels.
Pixel positions follow cv2: (0, 0) is the centre of the first pixel.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

INPUT_WIDTH, INPUT_HEIGHT, GREY = 640, 384, 114
STRIDE = 8
CELL_SCORE = 0.15  # a cell with less takes no part in the vote
CANDIDATE_SCORE = 0.15  # the best cell of a candidate has at least this
PLATE_SCORE = 0.30  # the refiner's verdict
VOTE_OVERLAP = 0.40  # cells whose boxes overlap the best cell's box by this vote together
SUPPRESS_OVERLAP = 0.30
MAX_CANDIDATES = 12
PATCH_WIDTH, PATCH_HEIGHT = 160, 80
# where the candidate lies in its patch
PATCH_QUAD = np.array([[20, 20], [140, 20], [140, 60], [20, 60]], np.float32)
WIDEN_X, WIDEN_Y = 0.02, 0.05  # share of width and height added on each side before reading
READ_WIDTH, READ_HEIGHT = 168, 48


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plate in the picture: quad (4, 2) pixels, score 0..1, probability of two rows, colour (5,)."""

    quad: Floats
    score: float
    rows: float
    colour: Floats


def letterbox(image: Image) -> tuple[Image, float]:
    """Scale a BGR image into 640x384, top left, rest grey; returns uint8 [1,384,640,3] and the scale."""
    height, width = image.shape[:2]
    scale = min(INPUT_WIDTH / width, INPUT_HEIGHT / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas = np.full((1, INPUT_HEIGHT, INPUT_WIDTH, 3), GREY, np.uint8)
    canvas[0, : size[1], : size[0]] = shrunk
    return canvas, scale


def boxes_of(quads: Floats) -> Floats:
    """Quads (n, 4, 2) -> bounding boxes (n, 4): left, top, right, bottom."""
    return np.concatenate([quads.min(axis=1), quads.max(axis=1)], axis=1)


def overlap(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of one box (4,) with boxes (n, 4)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.clip(sides, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return np.asarray(common / np.maximum(areas - common, 1e-6), np.float32)


def vote(
    score: Floats, corners: Floats, rows: Floats, colour: Floats, scale: float, least: float = CANDIDATE_SCORE
) -> list[Candidate]:
    """The detector's maps (batch of one) -> candidates in image pixels, best first.

    Each plate covers several cells, and each of them says where the corners are: their mean, weighted by
    score, is far better than the best cell alone.
    """
    flat = score.reshape(-1)
    chosen = np.flatnonzero(flat >= min(CELL_SCORE, least))
    chosen = chosen[np.argsort(-flat[chosen])]
    weights = flat[chosen]
    quads = corners.reshape(-1, 4, 2)[chosen]
    boxes = boxes_of(quads)
    free = np.ones(len(chosen), bool)
    found: list[Candidate] = []
    while len(found) < MAX_CANDIDATES and free.any():
        best = int(np.argmax(free))
        if weights[best] < least:
            break
        agrees = overlap(boxes[best], boxes)
        voters = free & (agrees >= VOTE_OVERLAP)
        voters[best] = True
        share = weights[voters] / weights[voters].sum()
        quad = np.einsum("n,nij->ij", share, quads[voters])
        cells = chosen[voters]
        found.append(
            Candidate(
                quad=np.asarray(quad / scale, np.float32),
                score=float(weights[best]),
                rows=float(share @ rows.reshape(-1)[cells]),
                colour=np.asarray(share @ colour.reshape(-1, 5)[cells], np.float32),
            )
        )
        free &= (agrees < SUPPRESS_OVERLAP) & ~voters
    return found


def rectify(image: Image, quad: Floats) -> tuple[Image, Matrix]:
    """Cut the candidate with its surroundings: uint8 [80,160,3] and the matrix image -> patch."""
    matrix = np.asarray(cv2.getPerspectiveTransform(quad.astype(np.float32), PATCH_QUAD), np.float64)
    return warp(image, quad, matrix, (PATCH_WIDTH, PATCH_HEIGHT)), matrix


def warp(image: Image, quad: Floats, matrix: Matrix, size: tuple[int, int]) -> Image:
    """Perspective warp; a plate much larger than its patch is shrunk by area first (no aliasing)."""
    width = float(np.linalg.norm(quad[1] - quad[0]))
    factor = 0.8 * size[0] / max(width, 1.0)
    if factor < 0.6:
        left, top = np.maximum(np.floor(quad.min(axis=0) - width * 0.5).astype(int), 0)
        right, bottom = np.maximum(np.ceil(quad.max(axis=0) + width * 0.5).astype(int), 0)
        part = image[top:bottom, left:right]
        if part.size == 0:
            return np.full((size[1], size[0], 3), GREY, np.uint8)
        image = np.asarray(cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        fx, fy = part.shape[1] / image.shape[1], part.shape[0] / image.shape[0]
        matrix = matrix @ np.array([[fx, 0, left + 0.5 * fx - 0.5], [0, fy, top + 0.5 * fy - 0.5], [0, 0, 1]])
    turned = cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8)


def place(corners: Floats, matrix: Matrix) -> Floats:
    """The refiner's corners (8,) in patch pixels -> quad (4, 2) in image pixels."""
    points = corners.reshape(1, 4, 2).astype(np.float64)
    return np.asarray(cv2.perspectiveTransform(points, np.linalg.inv(matrix))[0], np.float32)


def suppress(candidates: list[Candidate]) -> list[Candidate]:
    """Drop what lies over a better candidate, best first."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda item: -item.score):
        box = boxes_of(candidate.quad[None])[0]
        others = boxes_of(np.array([item.quad for item in kept], np.float32).reshape(-1, 4, 2))
        if not (overlap(box, others) >= SUPPRESS_OVERLAP).any():
            kept.append(candidate)
    return kept


def widen(quad: Floats, x: float = WIDEN_X, y: float = WIDEN_Y) -> Floats:
    """Move the corners outwards along the plate's own sides: a little air reads better than a cut edge."""
    tl, tr, br, bl = quad
    top, bottom, left, right = tr - tl, br - bl, bl - tl, br - tr
    return np.array(
        [
            tl - x * top - y * left,
            tr + x * top - y * right,
            br + x * bottom + y * right,
            bl - x * bottom + y * left,
        ],
        np.float32,
    )


def crop(image: Image, quad: Floats, rows: float) -> Image:
    """The rectified plate for the reader, uint8 [48,168,3]; two rows are laid side by side."""
    width, height = READ_WIDTH, READ_HEIGHT
    if rows <= 0.5:
        return flat(image, quad, width, height)
    tall = flat(image, quad, width, 2 * height)
    lower = tall[2 * height // 3 :]
    upper = cv2.resize(tall[: 5 * 2 * height // 12], (lower.shape[1], lower.shape[0]))
    return np.asarray(cv2.resize(np.hstack([upper, lower]), (width, height)), np.uint8)


def flat(image: Image, quad: Floats, width: int, height: int) -> Image:
    """Warp a quad to an upright rectangle of the given size."""
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = np.asarray(cv2.getPerspectiveTransform(quad.astype(np.float32), target), np.float64)
    return warp(image, quad, matrix, (width, height))
