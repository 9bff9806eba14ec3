"""The picture for whoever aims a camera: plates can be read in it, nobody can be recognised."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gateway.clock import now
from gateway.types import Box
from gateway.vision.sightings import FaceSighting, PlateSighting
from gateway.vision.sketch import sharpness, sketch
from tests.striped import plate

RNG = np.random.default_rng(1)
PIXELS = RNG.integers(0, 255, (720, 1280, 3), np.uint8)
PLATE = PlateSighting(Box(600, 400, 720, 440), now(), plate(1))


def test_all_is_coarse_but_the_plate() -> None:
    drawn = sketch(PIXELS, [PLATE], [], looks_for_faces=False, roi=[], lines=[])
    assert np.array_equal(drawn[405:435, 610:710], PIXELS[405:435, 610:710])
    assert sharpness(drawn[:380]) < sharpness(PIXELS[:380]) / 500
    assert drawn.shape == PIXELS.shape


def test_a_face_is_covered_also_where_a_plate_lies_over_it() -> None:
    face = FaceSighting(Box(610, 390, 700, 500), now(), None)
    drawn = sketch(PIXELS, [PLATE], [face], looks_for_faces=True, roi=[], lines=[])
    inside = drawn[445:495, 615:695].reshape(-1, 3)
    assert np.ptp(inside, axis=0).max() == 0


def test_a_face_that_no_detector_found_cannot_be_recognised(portrait: Path) -> None:
    """The portrait over half the picture: what is left of it is 24 points wide, fewer than any face net asks for."""
    face = cv2.imread(str(portrait))
    assert face is not None
    scene = np.full((720, 1280, 3), 200, np.uint8)
    scene[:, :720] = cv2.resize(face, (720, 720))
    drawn = sketch(scene, [], [], looks_for_faces=True, roi=[], lines=[])
    small = cv2.resize(drawn, (48, 27), interpolation=cv2.INTER_AREA)
    again = cv2.resize(small, (1280, 720), interpolation=cv2.INTER_LINEAR)
    assert np.abs(again.astype(int) - drawn).mean() < 4  # 48 x 27 points tell nearly all that there is


def test_words_in_chinese_and_the_region_are_drawn() -> None:
    grey = np.full((720, 1280, 3), 90, np.uint8)
    plain = sketch(grey, [], [], looks_for_faces=False, roi=[], lines=[])
    told = sketch(
        grey, [], [], looks_for_faces=False, roi=[(0.1, 0.1), (0.9, 0.1), (0.5, 0.5)], lines=["车牌 鄂J12345"]
    )
    assert (told[:400] != plain[:400]).any()
    assert (told[650:] != plain[650:]).any()


def test_a_blurred_picture_is_less_sharp() -> None:
    blurred = np.asarray(cv2.GaussianBlur(PIXELS, (0, 0), 3), np.uint8)
    assert sharpness(blurred, PLATE.box) < sharpness(PIXELS, PLATE.box) / 10
    assert sharpness(PIXELS, Box(-50, -50, -10, -10)) == 0.0
