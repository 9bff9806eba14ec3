"""The small picture: the same whoever makes it, and made where somebody looks at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gateway.demo.pictures import drive
from gateway.settings import Settings
from gateway.shipped import shipped
from gateway.vision.catalogue import model_dirs
from gateway.vision.letterbox import fit, shrink, wanted
from gateway.vision.recogniser import open_recogniser

INPUT = (352, 608)


@pytest.mark.parametrize(
    ("picture", "times", "size"),
    [
        ((720, 1280), 2, (342, 608)),
        ((1080, 1920), 2, (342, 608)),
        ((2160, 3840), 4, (342, 608)),
        ((1921, 1081), 4, (352, 198)),
        ((100, 200), 1, (304, 608)),
        ((1, 5000), 1, (1, 608)),
    ],
)
def test_a_picture_fits_its_input(picture: tuple[int, int], times: int, size: tuple[int, int]) -> None:
    to = fit(picture, INPUT)
    assert (to.times, (to.height, to.width)) == (times, size)
    assert shrink(np.full((*picture, 3), 200, np.uint8), to).shape == (*size, 3)
    assert to.width / to.scale == pytest.approx(picture[1], abs=2 / to.scale)


def test_it_is_read_alike_whoever_made_it(tmp_path: Path) -> None:
    drive("鄂J12345", (52, 52, 150), tmp_path, start=0)
    frames = [np.asarray(cv2.imread(str(path)), np.uint8) for path in sorted(tmp_path.iterdir())[12:24:4]]
    recogniser = open_recogniser(model_dirs())
    for frame in frames:
        found, again = (
            recogniser.recognise(frame, small=small) for small in (None, shrink(frame, fit(frame.shape, INPUT)))
        )
        assert [plate for _, plate in found] == [plate for _, plate in again]
        assert found
        assert np.array_equal(found[0][0].quad, again[0][0].quad)


def test_a_small_picture_of_another_size_is_not_believed() -> None:
    recogniser = open_recogniser(model_dirs())
    frame = np.full((720, 1280, 3), 90, np.uint8)
    assert recogniser.recognise(frame, small=np.zeros((5, 5, 3), np.uint8)) == []


def site(plate: dict[str, Any] | None = None, data_dir: Path = Path("/nowhere"), **camera: Any) -> Settings:
    given = {"driver": "replay", "point": "gate", "path": "x", "recognise": ["plate"], **camera}
    return Settings.model_validate(
        {
            "site": {"compound_id": "east", "name": "East"},
            "gateway": {"id": "b", "data_dir": data_dir},
            "points": {"gate": {"kind": "vehicle", "name": "Gate", "direction": "in"}},
            "cameras": {"cam": given},
            "plate": plate or {},
        }
    )


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        (site(), INPUT),
        (site({"mode": "fast"}), (256, 416)),
        (site({"detector": "not-here"}), ()),
        (site(recognise=["face"]), ()),
        (site(roi=[[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]), ()),
    ],
)
def test_it_is_made_where_the_detector_looks_at_the_whole_picture(settings: Settings, size: tuple[int, ...]) -> None:
    assert tuple(wanted(settings, settings.cameras["cam"])) == size


def test_a_detector_that_wants_more_than_fits_behind_a_picture_shrinks_it_itself(tmp_path: Path) -> None:
    card = (shipped("models") / "plate-detector" / "model.toml").read_text(encoding="utf-8")
    (tmp_path / "models" / "plate-detector").mkdir(parents=True)
    large = card.replace("\nwidth = 608\nheight = 352", "\nwidth = 2688\nheight = 1536")
    assert large != card
    (tmp_path / "models" / "plate-detector" / "model.toml").write_text(large, encoding="utf-8")
    settings = site(data_dir=tmp_path)
    assert wanted(settings, settings.cameras["cam"]) == ()
