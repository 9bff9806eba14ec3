"""Real photographs through the program's own pipeline: what the cards' figures (test_cards.py) do not tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gateway.plate_rules import classify
from gateway.settings import PlateReading
from gateway.vision.catalogue import model_dirs
from gateway.vision.images import read_image
from gateway.vision.labels import read_labels
from gateway.vision.plate_accuracy import Outcome, judge
from gateway.vision.recogniser import PlateRecogniser, open_recogniser
from tests.vision.yardsticks import yardstick

if TYPE_CHECKING:
    from gateway.types import Image

THRESHOLD = PlateReading().threshold
pytestmark = pytest.mark.shared


def outcomes(recogniser: PlateRecogniser, shared: Path, kind: str, step: int) -> list[Outcome]:
    data = shared / "data" / "plates"
    rows = [row for row in read_labels(data, ("plate",)) if row["kind"] == kind]
    return [judge(recogniser, read_image(data / row["file"]), row) for row in rows[::step]]


def among(found: list[Outcome]) -> float:
    return sum(one.among for one in found) / len(found)


def exact(found: list[Outcome]) -> float:
    return sum(one.right for one in found) / len(found)


@pytest.fixture(scope="module")
def recogniser() -> PlateRecogniser:
    return open_recogniser(model_dirs())


@pytest.fixture(scope="module")
def scenes(recogniser: PlateRecogniser, shared: Path) -> list[Outcome]:
    return outcomes(recogniser, shared, "scene", 2)


def test_what_is_above_the_threshold_is_right(scenes: list[Outcome]) -> None:
    sure = [one for one in scenes if one.confidence >= THRESHOLD]
    assert len(sure) >= 0.8 * len(scenes)
    assert exact(sure) >= 0.90  # some of the surest reads are of a second car


def test_nothing_but_possible_plates_is_said(scenes: list[Outcome]) -> None:
    assert all(classify(one.read) for one in scenes if one.read)


def clear_scenes(scenes: list[Outcome], shared: Path, count: int) -> list[tuple[str, Image]]:
    """Number and picture of scenes that are read right and surely."""
    clear = [one for one in scenes if one.right and one.confidence >= THRESHOLD]
    return [(one.plate, read_image(shared / "data" / "plates" / one.file)) for one in clear[:count]]


def test_two_plates_in_one_frame_are_both_read(
    recogniser: PlateRecogniser, scenes: list[Outcome], shared: Path
) -> None:
    clear = clear_scenes(scenes, shared, 12)
    whole = 0
    for (first, left), (second, right) in zip(clear[0::2], clear[1::2], strict=True):
        height = max(left.shape[0], right.shape[0])
        frame = np.full((height, left.shape[1] + right.shape[1], 3), 114, np.uint8)
        frame[: left.shape[0], : left.shape[1]] = left
        frame[: right.shape[0], left.shape[1] :] = right
        read = {plate.number for _, plate in recogniser.recognise(frame)}
        whole += {first, second} <= read
    assert whole >= 4


def test_a_plate_cut_by_the_edge_is_never_sure_and_wrong(
    recogniser: PlateRecogniser, scenes: list[Outcome], shared: Path
) -> None:
    for number, image in clear_scenes(scenes, shared, 12):
        box = next(detection.box for detection, plate in recogniser.recognise(image) if plate.number == number)
        for share in (0.5, 0.7, 0.85):
            part = np.ascontiguousarray(image[:, : round(box.left + share * box.width)])
            sure = [plate.number for _, plate in recogniser.recognise(part) if plate.confidence >= THRESHOLD]
            assert set(sure) <= {number}


def test_an_upside_down_photograph_is_never_read_surely(
    recogniser: PlateRecogniser, scenes: list[Outcome], shared: Path
) -> None:
    for _, image in clear_scenes(scenes, shared, 30):
        turned = np.ascontiguousarray(image[::-1, ::-1])
        assert [plate.number for _, plate in recogniser.recognise(turned) if plate.confidence >= THRESHOLD] == []


def test_third_party_nets_need_a_card_and_no_code(shared: Path, tmp_path: Path) -> None:
    settings = yardstick(shared, tmp_path)
    assert among(outcomes(open_recogniser([tmp_path], settings), shared, "scene", 8)) >= 0.9
