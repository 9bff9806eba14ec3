"""What lies between a plate and its pixels: perspective, few pixels, light, dirt, blur, noise, JPEG.

Images are uint8 [h, w, 3] BGR; points float32 [n, 2] x, y in pixels; `strength` 0..1 scales how often and how
badly an image suffers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from models.train.numbers import Random
from models.train.paint import Float, Image

Points = npt.NDArray[np.float32]
Effect = Callable[[Random, Float, float], Float]


def corners_of(width: float, height: float) -> Points:
    """Corners tl, tr, br, bl of an image."""
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)


def map_points(matrix: npt.NDArray[np.float64], points: Points) -> Points:
    """Send points through a homography (3x3)."""
    return np.asarray(cv2.perspectiveTransform(points[None].astype(np.float32), matrix)[0], np.float32)


def scenery(rng: Random, width: int, height: int) -> Image:
    """A smooth random patch in car-body colours, to stand around a plate."""
    shade = rng.uniform(0, 255) + rng.normal(0, 14, 3)
    small = shade + rng.normal(0, rng.uniform(0, 45), (int(rng.integers(2, 6)), int(rng.integers(2, 9)), 1))
    patch = np.clip(small, 0, 255).astype(np.uint8)
    way = cv2.INTER_NEAREST if rng.random() < 0.2 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(patch, (width, height), interpolation=way), np.uint8)


def place(plate: Image, scene: Image, quad: Points) -> npt.NDArray[np.float64]:
    """Draw a flat plate into `scene` (in place) at the corners tl, tr, br, bl; return the homography used.

    The plate is first shrunk towards its size in the scene, so that its strokes do not alias.
    """
    across = max(math.dist(quad[0], quad[1]), math.dist(quad[3], quad[2]), 2.0)
    down = max(math.dist(quad[0], quad[3]), math.dist(quad[1], quad[2]), 2.0)
    size = min(plate.shape[1], math.ceil(across)), min(plate.shape[0], math.ceil(down))
    small = cv2.resize(plate, size, interpolation=cv2.INTER_AREA)
    matrix = cv2.getPerspectiveTransform(corners_of(*size), quad.astype(np.float32))
    full = (scene.shape[1], scene.shape[0])
    cover = cv2.warpPerspective(np.full(small.shape[:2], 255, np.uint8), matrix, full, flags=cv2.INTER_LINEAR)
    drawn = cv2.warpPerspective(small, matrix, full, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = (cover.astype(np.float32) / 255)[:, :, None]
    scene[:] = (scene + (drawn - scene.astype(np.float32)) * alpha + 0.5).astype(np.uint8)
    scale = np.diag([size[0] / plate.shape[1], size[1] / plate.shape[0], 1.0])
    return np.asarray(matrix @ scale, np.float64)


def _light(rng: Random, image: Float, strength: float) -> Float:
    """Exposure, contrast and colour cast of daylight, dusk and white balance."""
    gain = np.exp(rng.normal(-0.1, 0.4 * strength)) * np.exp(rng.normal(0, 0.09 * strength, 3))
    lift = rng.normal(0, 22 * strength) + rng.normal(0, 8 * strength, 3)
    grey = image.mean(2, keepdims=True)
    faded = grey + (image - grey) * rng.uniform(1 - 0.5 * strength, 1 + 0.2 * strength)
    return np.asarray(faded * gain + lift, np.float32)


def _haze(rng: Random, image: Float, strength: float) -> Float:
    """Fog, overexposure and worn film: contrast shrinks towards a level."""
    keep = rng.uniform(1 - 0.68 * strength, 1)
    return np.asarray(image * keep + rng.uniform(20, 215) * (1 - keep), np.float32)


def _ramp(rng: Random, height: int, width: int) -> Float:
    """A straight soft edge in a random direction, 0..1."""
    angle, soft = rng.uniform(0, 2 * np.pi), rng.uniform(0.02, 0.5)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    along = (x / width - rng.uniform(0.1, 0.9)) * np.cos(angle) + (y / height - rng.uniform(0.1, 0.9)) * np.sin(angle)
    return np.asarray(np.clip(along / soft + 0.5, 0, 1), np.float32)


def _shadow(rng: Random, image: Float, strength: float) -> Float:
    edge = _ramp(rng, *image.shape[:2])[:, :, None]
    return np.asarray(image * (1 - edge * rng.uniform(0.1, 0.35 + 0.4 * strength)), np.float32)


def _glare(rng: Random, image: Float, strength: float) -> Float:
    """A lamp's or the sun's reflection: a bright soft spot."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx = (x / width - rng.uniform(-0.1, 1.1)) / rng.uniform(0.1, 0.5)
    dy = (y / height - rng.uniform(-0.2, 1.2)) / rng.uniform(0.3, 1.2)
    spot = np.exp(-(dx * dx + dy * dy))[:, :, None]
    return np.asarray(image + spot * rng.uniform(30, 60 + 130 * strength), np.float32)


def _dirt(rng: Random, image: Float, strength: float) -> Float:
    """Mud and dust in blotches of brown and grey."""
    height, width = image.shape[:2]
    grain = rng.random((int(rng.integers(2, 9)), int(rng.integers(3, 24))), np.float32)
    blot = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)[:, :, None]
    cover = np.clip((blot - rng.uniform(0.45, 0.8)) * 3, 0, 0.25 + 0.45 * strength)
    mud = np.array([60, 80, 95], np.float32) * rng.uniform(0.4, 2.0)
    return np.asarray(image + (mud - image) * cover, np.float32)


def _night(rng: Random, image: Float, strength: float) -> Float:
    """Infrared: one grey channel; or darkness with a strong gain in noise."""
    if rng.random() < 0.6:
        grey = image @ rng.dirichlet((2, 2, 2)).astype(np.float32)
        image = np.repeat(grey[:, :, None], 3, 2) * rng.uniform(0.5, 1.3)
        return image + rng.normal(0, 3, 3).astype(np.float32)
    dark = image * rng.uniform(0.1 + 0.25 * (1 - strength), 0.55)
    return np.asarray(dark + rng.normal(0, 2 + 6 * strength, image.shape), np.float32)


def _drops(rng: Random, image: Float, strength: float) -> Float:
    """Rain or snow: short bright streaks."""
    height, width = image.shape[:2]
    canvas = np.zeros((height, width), np.uint8)
    lean = rng.uniform(-0.4, 0.4)
    for _ in range(int(rng.integers(2, int(5 + 20 * strength)))):
        x, y, length = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.05, 0.35) * height
        ends = (int(x), int(y)), (int(x + lean * length), int(y + length))
        cv2.line(canvas, *ends, 255, 1, cv2.LINE_AA)
    return np.asarray(image + canvas[:, :, None] * (rng.uniform(0.15, 0.6) * strength), np.float32)


def _blur(rng: Random, image: Float, strength: float) -> Float:
    """Out of focus, or the shake of a moving car."""
    unit = image.shape[0] / 48
    if rng.random() < 0.55:
        sigma = max(0.05, rng.uniform(0.2, 0.4 + 1.7 * strength) * unit)
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, sigmaY=sigma * rng.uniform(0.5, 1.2)), np.float32)
    length = max(2, round(rng.uniform(2, 3 + 5 * strength) * unit))
    kernel = np.zeros((length, length), np.float32)
    middle, angle = (length - 1) / 2, rng.uniform(0, np.pi) if rng.random() < 0.5 else rng.normal(0, 0.15)
    reach = np.array([np.cos(angle), np.sin(angle)]) * middle
    ends = [tuple(round(float(v)) for v in middle + sign * reach) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1)), np.float32)


def _noise(rng: Random, image: Float, strength: float) -> Float:
    sigma = rng.uniform(1, 4 + 11 * strength)
    shape = image.shape if rng.random() < 0.6 else (*image.shape[:2], 1)
    return np.asarray(image + rng.standard_normal(shape, np.float32) * sigma, np.float32)


def _sharpen(rng: Random, image: Float, strength: float) -> Float:
    """The over-sharpening of cheap cameras."""
    soft = cv2.GaussianBlur(image, (0, 0), 1.0)
    return np.asarray(image + (image - soft) * rng.uniform(0.3, 0.5 + 1.5 * strength), np.float32)


def _bloom(rng: Random, image: Float, strength: float) -> Float:
    """Headlights or a lamp at night: what is bright is too bright, and spreads over its neighbours."""
    unit = image.shape[0] / 48
    lit = np.minimum(image * rng.uniform(1.1, 1.3 + 0.9 * strength), 300)
    glow = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.6, 0.8 + 2.2 * strength) * unit)
    return np.asarray(np.maximum(lit, glow * rng.uniform(0.9, 1.2)), np.float32)


# (how often at full strength, effect), in the order light travels.
EFFECTS: tuple[tuple[float, Effect], ...] = (
    (0.25, _dirt),
    (0.25, _shadow),
    (0.20, _glare),
    (0.07, _bloom),
    (0.85, _light),
    (0.22, _haze),
    (0.12, _night),
    (0.06, _drops),
    (0.55, _blur),
    (0.45, _noise),
    (0.12, _sharpen),
)


def jpeg(rng: Random, image: Image, strength: float) -> Image:
    """Compress and decompress at a quality between 95 and 25."""
    quality = int(rng.uniform(95 - 70 * strength, 96))
    _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def video(rng: Random, image: Image, strength: float) -> Image:
    """A frame of a starved video stream: half the colour, coarse blocks smoothed at their edges, a ghost of before."""
    height, width = image.shape[:2]
    before = np.roll(image, (int(rng.integers(-2, 3)), int(rng.integers(-3, 4))), (0, 1))
    mixed = cv2.addWeighted(image, 1 - 0.25 * strength * (share := rng.random()), before, 0.25 * strength * share, 0)
    quality = int(rng.uniform(60 - 42 * strength, 80))
    halved = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
    shrink = rng.uniform(0.6, 1.0) if rng.random() < 0.4 else 1.0
    size = max(8, round(width * shrink)), max(8, round(height * shrink))
    small = mixed if shrink == 1.0 else cv2.resize(mixed, size, interpolation=cv2.INTER_AREA)
    _, packed = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality, *halved])
    coarse = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    smooth = cv2.bilateralFilter(coarse, 3, 25, 1.5) if rng.random() < 0.7 else coarse
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def degrade(rng: Random, image: Image, strength: float = 1.0) -> Image:
    """Return the image with a random choice of effects; its size stays."""
    pixels = image.astype(np.float32)
    for share, effect in EFFECTS:
        if rng.random() < share * (0.35 + 0.65 * strength):
            pixels = effect(rng, pixels, strength)
    spoilt = np.asarray(np.clip(pixels, 0, 255), np.uint8)
    way = rng.random()
    return jpeg(rng, spoilt, strength) if way < 0.4 else video(rng, spoilt, strength) if way < 0.55 else spoilt
