"""From pixels to plates through real sessions, with nets whose answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from gateway.errors import ModelError
from gateway.settings import PlateReading
from gateway.types import Box
from gateway.vision.recogniser import PlateRecogniser, open_recogniser
from tests.vision.nets import card, constant_net, plate_detector, plate_refiner
from tests.vision.test_grammar import ALPHABET, lattice

DETECTOR, REFINER, READER = "plate-detector", "plate-refiner", "plate-reader"
FRAME = np.zeros((384, 640, 3), np.uint8)
QUAD = np.array([[100, 100], [200, 104], [200, 136], [100, 132]], np.float32)
OTHER = QUAD + np.array([300, 100], np.float32)
GREEN = [0.02, 0.02, 0.92, 0.02, 0.02]


def models(tmp_path: Path, text: str, colour: list[float], more: str = "") -> list[Path]:
    """The three models of the catalogue; the reader reads `text` in every plate."""
    plate_detector(tmp_path / DETECTOR, [(QUAD, 0.9), (OTHER, 0.8)])
    plate_refiner(tmp_path / REFINER)
    folder = tmp_path / READER
    folder.mkdir()
    outputs = {"prob": lattice(text)[None], "colour": np.array([colour], np.float32)}
    constant_net(folder / "net.onnx", "plate", ["n", 48, 168, 3], outputs, batch=True)
    card(folder, "plate.read", "ctc", f'[output]\nalphabet = "{ALPHABET}"\n{more}')
    return [tmp_path]


def numbers(recogniser: PlateRecogniser) -> list[str]:
    return [plate.number for _, plate in recogniser.recognise(FRAME)]


def test_two_plates_in_a_frame_are_read_each_at_its_place(tmp_path: Path) -> None:
    found = open_recogniser(models(tmp_path, "鄂AD12345", GREEN)).recognise(FRAME)
    assert [plate.number for _, plate in found] == ["鄂AD12345"] * 2
    assert {round(detection.box.left) for detection, _ in found} == {100, 400}
    assert {plate.plate_class for _, plate in found} == {"52"}


def test_the_configured_new_energy_class_reaches_the_plate(tmp_path: Path) -> None:
    found = open_recogniser(models(tmp_path, "鄂AD12345", GREEN), PlateReading(nev_class="02")).recognise(FRAME)
    assert {plate.plate_class for _, plate in found} == {"02"}


def test_what_is_less_sure_than_the_card_asks_is_no_plate(tmp_path: Path) -> None:
    assert numbers(open_recogniser(models(tmp_path / "a", "鄂AD12345", GREEN, "[thresholds]\nscore = 0.9\n")))
    assert not numbers(open_recogniser(models(tmp_path / "b", "鄂AD12345", GREEN, "[thresholds]\nscore = 0.9999\n")))


def test_the_cards_calibration_is_applied(tmp_path: Path) -> None:
    plain = open_recogniser(models(tmp_path / "a", "鄂AD12345", GREEN)).recognise(FRAME)[0][1]
    humble = open_recogniser(models(tmp_path / "b", "鄂AD12345", GREEN, "[thresholds]\nscale = 0.5\n")).recognise(FRAME)
    assert humble[0][1].confidence < plain.confidence


def test_doubtful_rows_are_read_both_ways_and_told_once(tmp_path: Path) -> None:
    dirs = models(tmp_path / "a", "鄂A12345", [0.9, 0.025, 0.025, 0.025, 0.025])
    plate_refiner(tmp_path / "doubt" / REFINER, rows=0.5)
    found = open_recogniser([tmp_path / "doubt", *dirs]).recognise(FRAME)
    assert [plate.number for _, plate in found] == ["鄂A12345"] * 2


def test_a_still_without_a_sure_plate_is_looked_at_in_parts(tmp_path: Path) -> None:
    dirs = models(tmp_path / "a", "鄂AD12345", GREEN, "[thresholds]\noffset = -6\n")  # never sure
    recogniser = open_recogniser(dirs)
    assert len(recogniser.recognise(FRAME)) == 2
    found = recogniser.recognise(FRAME, thorough=True)
    # the nets see the same two plates in every part: eight more places, some of them over one another
    assert len(found) > 2
    boxes = [detection.box for detection, _ in found]
    assert all(one is other or one.iou(other) < 0.3 for one in boxes for other in boxes)
    assert max(box.right for box in boxes) <= 640
    assert max(box.left for box in boxes) > 400


def test_a_still_with_a_sure_plate_is_looked_at_once(tmp_path: Path) -> None:
    recogniser = open_recogniser(models(tmp_path, "鄂AD12345", GREEN))
    assert len(recogniser.recognise(FRAME, thorough=True)) == 2


@pytest.mark.parametrize("mode", ["normal", "fast"])
def test_a_place_in_doubt_is_looked_at_larger_unless_a_sure_plate_is_there(
    tmp_path: Path, mode: Literal["normal", "fast"]
) -> None:
    recogniser = open_recogniser(models(tmp_path, "鄂AD12345", GREEN), PlateReading(mode=mode))
    known = [detection.box for detection, _ in recogniser.recognise(FRAME)]
    assert len(recogniser.recognise(FRAME, doubts=known)) == 2
    elsewhere = Box(560, 300, 600, 312)  # at the edge: the nets see their two plates in a part of 280 x 158 around it
    found = [detection.box for detection, _ in recogniser.recognise(FRAME, doubts=[elsewhere])]
    more = [box for box in found if all(box.iou(one) < 0.3 for one in known)]
    assert more
    assert all(box.left >= 640 - 280 and box.top >= 384 - 280 and box.right <= 640 for box in more)


def test_a_glance_refines_only_what_is_in_doubt(tmp_path: Path) -> None:
    moved = np.array([30, 20, 150, 20, 150, 60, 30, 60], np.float32)  # a refiner that would move every plate
    lefts = {}
    for name, more in (("sure", ""), ("doubtful", "[thresholds]\noffset = -6\n")):
        dirs = models(tmp_path / name, "鄂AD12345", GREEN, more)
        plate_refiner(tmp_path / name / "other" / REFINER, corners=moved)
        fast = open_recogniser([tmp_path / name / "other", *dirs], PlateReading(mode="fast"))
        lefts[name] = {round(detection.box.left) for detection, _ in fast.recognise(FRAME)}
    assert lefts["sure"] == {100, 400}
    assert lefts["sure"] <= lefts["doubtful"] or lefts["doubtful"] == {108, 408}


def test_at_a_glance_a_sure_plate_does_not_hide_a_fainter_one(tmp_path: Path) -> None:
    dirs = models(tmp_path / "a", "鄂AD12345", GREEN)
    plate_detector(tmp_path / "faint" / DETECTOR, [(QUAD, 0.9), (OTHER, 0.35)])
    fast = open_recogniser([tmp_path / "faint", *dirs], PlateReading(mode="fast"))
    assert {round(detection.box.left) for detection, _ in fast.recognise(FRAME)} == {100, 400}


def test_what_is_no_number_is_no_plate(tmp_path: Path) -> None:
    assert numbers(open_recogniser(models(tmp_path, "HELLO", GREEN))) == []


def test_a_frame_without_plates_gives_nothing(tmp_path: Path) -> None:
    dirs = models(tmp_path / "a", "鄂AD12345", GREEN)
    plate_detector(tmp_path / "empty" / DETECTOR, [])
    assert numbers(open_recogniser([tmp_path / "empty", *dirs])) == []


def test_without_its_models_there_is_no_recogniser(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        open_recogniser([tmp_path])
