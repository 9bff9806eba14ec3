"""Pictures for the record: the plate stays sharp, nobody stays recognisable."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gateway.types import Box, ShotKind
from gateway.vision.shots import coarse, quality, take

PLATE = Box(500, 420, 640, 465)


@pytest.fixture
def street(portrait: Path) -> np.ndarray:
    """A person stands beside a car's plate, her face as wide as it is at that distance, and once twice as near."""
    picture = np.full((720, 1280, 3), 120, np.uint8)
    cv2.rectangle(picture, (500, 420), (640, 465), (200, 80, 20), -1)
    cv2.putText(picture, "A12345", (508, 456), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (255, 255, 255), 3)
    face = cv2.imread(str(portrait))[40:200, 150:300]  # a face of about 110 pixels
    for left, width in ((700, 51), (900, 102)):
        side = round(width * 150 / 110), round(width * 160 / 110)
        picture[300 : 300 + side[1], left : left + side[0]] = cv2.resize(face, side, interpolation=cv2.INTER_AREA)
    return picture


def test_the_plate_s_picture_is_the_very_crop_of_its_frame(street: np.ndarray) -> None:
    (shot,) = take(street, PLATE, {ShotKind.PLATE})
    shown = cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    original = street[409:476, 489:651]
    assert shown.shape == original.shape
    assert np.abs(shown.astype(int) - original).mean() < 6


def test_in_a_scene_the_plate_is_sharp_and_all_else_is_blocks(street: np.ndarray) -> None:
    scene = coarse(street, PLATE)
    assert (scene[420:465, 500:640] == street[420:465, 500:640]).all()
    outside = scene[0:390, 680:1100]
    assert len(np.unique(outside.reshape(-1, 3), axis=0)) < 200  # of 160,000 pixels
    (shot,) = take(street, PLATE, {ShotKind.SCENE})
    assert b"Exif" not in shot.jpeg


def test_no_face_is_found_in_a_scene_in_which_there_were_two(street: np.ndarray, face_models: Path) -> None:
    from gateway.vision.catalogue import find
    from gateway.vision.faces import FaceFinder

    finder = FaceFinder(find("mtcnn", [face_models]), min_face=20)
    assert len(finder.detect(street)) == 2
    assert finder.detect(coarse(street, PLATE)) == []


def test_a_sharp_large_sure_plate_is_worth_most(street: np.ndarray) -> None:
    best = quality(street, PLATE, 0.95)
    assert 0 < best <= 1
    assert quality(cv2.GaussianBlur(street, (0, 0), 4), PLATE, 0.95) < best
    small = cv2.resize(street, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert quality(small, Box(250, 210, 320, 232), 0.95) < best
    assert quality(street, PLATE, 0.5) < best


def test_a_box_beyond_the_edge_gives_what_is_inside_and_one_outside_gives_nothing(street: np.ndarray) -> None:
    assert take(street, Box(1240, 700, 1400, 760), frozenset(ShotKind))
    assert take(street, Box(1300, 100, 1400, 150), frozenset(ShotKind)) == ()
    assert quality(street, Box(-200, -90, -10, -5), 0.9) == 0.0
