"""Geometry of the plate adapters: what the nets say in their own pixels lands where it belongs in the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.errors import ModelError, Rejected
from gateway.plate_rules import BLUE
from gateway.vision import quads
from gateway.vision.catalogue import Model
from gateway.vision.plates import PlateFinder
from gateway.vision.plates.corner_map import CornerMap
from gateway.vision.plates.reader import CtcReader
from gateway.vision.plates.refiner import CornerPatch
from tests.vision.nets import Array, card, constant_net, plate_detector, plate_refiner

LEFT = np.array([[100, 100], [180, 104], [180, 134], [100, 130]], np.float32)
RIGHT = np.array([[400, 200], [500, 190], [500, 225], [400, 235]], np.float32)
LOWER = LEFT + np.array([0, 8], np.float32)
CUT = np.array([[-20, 300], [60, 300], [60, 330], [-20, 330]], np.float32)  # a quarter of it outside


def finder_of(detector: Model, refiner: Model) -> PlateFinder:
    return PlateFinder(CornerMap(detector), CornerPatch(refiner))


def detector(tmp_path: Path, plates: list[tuple[Array, float]], score: float = 0.9) -> PlateFinder:
    return finder_of(plate_detector(tmp_path / "d", plates), plate_refiner(tmp_path / "r", score))


@pytest.mark.parametrize(
    ("width", "height", "scale"), [(640, 384, 1.0), (1280, 720, 0.5), (320, 100, 2.0), (500, 768, 0.5)]
)
def test_quads_return_to_the_pixels_of_the_picture(tmp_path: Path, width: int, height: int, scale: float) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    quad = LEFT * (0.5 if scale == 2.0 else 1.0)
    found = detector(tmp_path, [(quad, 0.9)]).detect(image)
    assert len(found) == 1
    assert np.abs(found[0].quad - quad / scale).max() < 0.7
    assert found[0].score == pytest.approx(0.9)
    assert max(found[0].colour, key=found[0].colour.__getitem__) == BLUE


def test_two_plates_in_one_frame_are_two_and_one_seen_twice_is_one(tmp_path: Path) -> None:
    found = detector(tmp_path, [(LEFT, 0.9), (RIGHT, 0.6), (LOWER, 0.5)]).detect(np.zeros((384, 640, 3), np.uint8))
    assert len(found) == 2
    assert {round(float(one.quad[0, 0])) for one in found} == {100, 400}


def test_a_plate_cut_by_the_edge_keeps_its_corners_outside(tmp_path: Path) -> None:
    found = detector(tmp_path, [(CUT, 0.9)]).detect(np.zeros((384, 640, 3), np.uint8))
    assert len(found) == 1
    assert found[0].quad[0, 0] == pytest.approx(-20, abs=1)
    assert found[0].box.left < 0


@pytest.mark.parametrize(
    "quad",
    [
        np.zeros((4, 2), np.float32),
        LEFT[::-1],  # counter-clockwise
        np.full((4, 2), np.nan, np.float32),
        LEFT - 1000,
        LEFT * 1e6,
        LEFT[[0, 2, 1, 3]],  # crossed
    ],
)
def test_senseless_corners_are_no_plate(quad: Array) -> None:
    assert not quads.is_sound(quad.astype(np.float32), 640, 384)


def test_a_plate_is_sound_while_half_of_it_is_in_the_picture() -> None:
    assert quads.is_sound(CUT + np.array([-20, 0], np.float32), 640, 384)
    assert not quads.is_sound(CUT + np.array([-21, 0], np.float32), 640, 384)


def test_a_quad_is_widened_along_its_own_sides() -> None:
    slanted = np.array([[0, 0], [100, 20], [100, 60], [0, 40]], np.float32)
    wide = quads.widen(slanted, 0.1, 0.5)
    assert np.allclose(wide, [[-10, -22], [110, 2], [110, 82], [-10, 58]], atol=1e-4)
    assert np.allclose(quads.widen(slanted, 0, 0), slanted)


def test_senseless_corners_of_the_nets_do_no_harm(tmp_path: Path) -> None:
    half = np.array([np.nan, np.nan, 100, 20, 100, 50, 20, 50])
    for index, wild in enumerate((np.zeros(8), np.full(8, np.nan), half, np.full(8, 1e20), np.arange(8) * -500.0)):
        folder = tmp_path / str(index)
        refiner = plate_refiner(folder / "r", corners=wild.astype(np.float32))
        finder = finder_of(plate_detector(folder / "d", [(LEFT, 0.9), (RIGHT, 0.8)]), refiner)
        assert finder.detect(np.zeros((384, 640, 3), np.uint8)) == []


def test_what_the_refiner_doubts_is_dropped(tmp_path: Path) -> None:
    assert detector(tmp_path, [(LEFT, 0.9)], score=0.2).detect(np.zeros((384, 640, 3), np.uint8)) == []


def test_weak_cells_are_no_candidate(tmp_path: Path) -> None:
    assert detector(tmp_path, [(LEFT, 0.25)]).detect(np.zeros((384, 640, 3), np.uint8)) == []


def test_pictures_of_every_size_and_depth_are_taken(tmp_path: Path) -> None:
    finder = detector(tmp_path, [(LEFT, 0.9)])
    pictures: list[NDArray[Any]] = [
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((3, 4000, 3), np.uint8),
        np.zeros((4000, 3000), np.uint8),
        np.zeros((100, 100, 4), np.uint8),
        np.zeros((100, 100, 3), np.uint16),
    ]
    for image in pictures:
        finder.detect(image)
    wrong: NDArray[Any] = np.zeros((100, 100, 3), np.float64)
    with pytest.raises(Rejected):
        finder.detect(wrong)


def test_the_border_stays_grey_when_sizes_change(tmp_path: Path) -> None:
    finder = CornerMap(plate_detector(tmp_path / "d", []))
    for size in ((720, 1280), (100, 640), (384, 200), (720, 1280)):
        finder.propose(np.full((*size, 3), 255, np.uint8))
        scale = finder._lay(np.full((*size, 3), 255, np.uint8), None)
        canvas, height, width = finder._canvas, round(size[0] * scale), round(size[1] * scale)
        assert (canvas[0, :height, :width] == 255).all()
        assert (canvas[0, height:] == quads.GREY).all()
        assert (canvas[0, :, width:] == quads.GREY).all()


def test_a_tilted_plate_is_cut_out_flat_from_the_full_picture() -> None:
    flat = np.zeros((48, 168, 3), np.uint8)
    flat[:, 0::4] = flat[:, 1::4] = 255  # stripes of two pixels: nothing is left of them in a 640 px letterbox
    quad = np.array([[2000, 1000], [2170, 1040], [2168, 1092], [1998, 1050]], np.float32)
    source = np.array([[0, 0], [168, 0], [168, 48], [0, 48]], np.float32)
    scene = cv2.warpPerspective(flat, cv2.getPerspectiveTransform(source, quad), (3840, 2160))
    cut = quads.crop(np.asarray(scene, np.uint8), quad, two_rows=False)
    assert cut.shape == (48, 168, 3)
    assert np.corrcoef(cut[10:38, 4:164].ravel(), flat[10:38, 4:164].ravel())[0, 1] > 0.9


def test_two_rows_come_side_by_side() -> None:
    plate = np.zeros((220, 440, 3), np.uint8)
    plate[:80] = 255
    quad = np.array([[0, 0], [440, 0], [440, 220], [0, 220]], np.float32)
    cut = quads.crop(plate, quad, two_rows=True)
    assert cut.shape == (48, 168, 3)
    assert cut[10, 30].mean() == 255
    assert cut[30, 130].mean() == 0


def test_placing_undoes_the_warp() -> None:
    target = np.array([[20, 20], [140, 20], [140, 60], [20, 60]], np.float32)
    _, matrix = quads.warp(np.zeros((384, 640, 3), np.uint8), RIGHT, target, (160, 80))
    assert np.abs(quads.place(target, matrix) - RIGHT).max() < 1e-2


def test_a_reader_whose_alphabet_does_not_fit_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "plate-reader"
    folder.mkdir()
    outputs = {"prob": np.zeros((1, 5, 4), np.float32), "colour": np.full((1, 5), 0.2, np.float32)}
    constant_net(folder / "net.onnx", "plate", ["n", 48, 168, 3], outputs, batch=True)
    with pytest.raises(ModelError, match="alphabet"):
        CtcReader(card(folder, "plate.read", "ctc", '[output]\nalphabet = "AB"\n'))
    reader = CtcReader(card(folder, "plate.read", "ctc", '[output]\nalphabet = "ABC"\n'))
    assert reader.read(np.zeros((99, 99, 3), np.uint8), []) == []


def test_a_model_of_another_adapter_is_refused(tmp_path: Path) -> None:
    refiner = plate_refiner(tmp_path / "r")
    with pytest.raises(ModelError, match="adapter"):
        CtcReader(refiner)


@pytest.mark.parametrize("width", [300, 500, 900, 1500])
def test_a_large_plate_is_shrunk_onto_the_same_place(width: int) -> None:
    scene = np.zeros((1000, 1600, 3), np.uint8)
    left, top, height = 20, 100, width // 3
    scene[top : top + height, left + width // 2 : left + width] = 255
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) + np.array([left, top], np.float32)
    cut = quads.crop(scene, quad, two_rows=False)
    edge = np.abs(np.diff(cut[24, :, 0].astype(int))).argmax()
    assert abs(edge - 83) <= 1
    assert cut[24, 100:160].min() > 250
    assert cut[24, :70].max() < 5


def test_a_huge_quad_in_a_tiny_picture_is_cut_all_the_same() -> None:
    quad = np.array([[-500, -200], [900, -190], [880, 300], [-520, 310]], np.float32)
    for shape in ((1, 1, 3), (2, 50, 3), (60, 3, 3)):
        assert quads.crop(np.zeros(shape, np.uint8), quad, two_rows=False).shape == (48, 168, 3)
