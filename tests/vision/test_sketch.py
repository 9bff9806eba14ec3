"""The picture for whoever aims a camera: plates can be read in it, nobody can be recognised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from gateway.clock import now
from gateway.types import Box
from gateway.vision.catalogue import find
from gateway.vision.faces import FaceFinder, open_embedder
from gateway.vision.shots import coarse
from gateway.vision.sightings import FaceSighting, PlateSighting
from gateway.vision.sketch import sharpness, sketch
from tests.striped import plate

RNG = np.random.default_rng(1)
PIXELS = RNG.integers(0, 255, (720, 1280, 3), np.uint8)
FAR = Box(1700, 900, 1760, 918)
PLATE = PlateSighting(Box(600, 400, 720, 440), now(), plate(1))


def test_all_is_coarse_but_the_plate() -> None:
    drawn = sketch(PIXELS, [PLATE], [], roi=[], lines=[])
    assert np.array_equal(drawn[405:435, 610:710], PIXELS[405:435, 610:710])
    assert sharpness(drawn[:380]) < sharpness(PIXELS[:380]) / 500
    assert drawn.shape == PIXELS.shape


def test_a_face_is_covered_also_where_a_plate_lies_over_it() -> None:
    face = FaceSighting(Box(610, 390, 700, 500), now(), None)
    drawn = sketch(PIXELS, [PLATE], [face], roi=[], lines=[])
    inside = drawn[445:495, 615:695].reshape(-1, 3)
    assert np.ptp(inside, axis=0).max() == 0


@pytest.mark.parametrize("share", [0.15, 0.25, 0.33])
@pytest.mark.parametrize(
    "save", [lambda pixels: sketch(pixels, [], [], roi=[], lines=[]), lambda pixels: coarse(pixels, FAR)]
)
def test_a_face_right_before_the_camera_cannot_be_recognised(
    portrait: Path, face_models: Path, share: float, save: Callable[[np.ndarray], np.ndarray]
) -> None:
    """A third of a gate's picture, while the plate is far away: the net that knows people by faces still knew it.

    That net takes two pictures for one person below 0.45.
    """
    finder = FaceFinder(find("mtcnn", [face_models]), min_face=20)
    embedder = open_embedder(find("dlib-resnet", [face_models]))
    photo = cv2.imread(str(portrait))
    assert photo is not None
    (face, *_) = finder.detect(photo)
    scale = share * 1920 / face.box.width
    left, top = max(0, round(face.box.left) - 60), max(0, round(face.box.top) - 60)
    near = cv2.resize(photo[top:, left:], None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)[:1080, :1500]
    scene = np.full((1080, 1920, 3), 120, np.uint8)
    scene[: near.shape[0], : near.shape[1]] = near
    (there, *_) = finder.detect(scene)
    before, after = embedder.embed(scene, there), embedder.embed(save(scene), there)
    assert np.linalg.norm(before - embedder.embed(photo, face)) < 0.45
    assert np.linalg.norm(after - before) > 0.55


def test_words_in_chinese_and_the_region_are_drawn() -> None:
    grey = np.full((720, 1280, 3), 90, np.uint8)
    plain = sketch(grey, [], [], roi=[], lines=[])
    told = sketch(grey, [], [], roi=[(0.1, 0.1), (0.9, 0.1), (0.5, 0.5)], lines=["车牌 鄂J12345"])
    assert (told[:400] != plain[:400]).any()
    assert (told[650:] != plain[650:]).any()


def test_a_blurred_picture_is_less_sharp() -> None:
    blurred = np.asarray(cv2.GaussianBlur(PIXELS, (0, 0), 3), np.uint8)
    assert sharpness(blurred, PLATE.box) < sharpness(PIXELS, PLATE.box) / 10
    assert sharpness(PIXELS, Box(-50, -50, -10, -10)) == 0.0
