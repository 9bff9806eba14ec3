"""A net and its int8 form: the quicker one is taken, both answer alike, a pair that does not fit is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.errors import ModelError
from gateway.settings import PlateReading
from gateway.shipped import shipped
from gateway.vision.catalogue import Model, model_dirs, open_model
from gateway.vision.plates.refiner import patch
from gateway.vision.quads import GREY
from gateway.vision.quicker import open_quicker
from gateway.vision.recogniser import open_recogniser
from gateway.vision.session import Session
from tests.bench.frames import street_frames
from tests.vision.nets import constant_net, plate_refiner

SIZES = {"height": 256, "width": 416}
Image = NDArray[np.uint8]


def pair(folder: Path, exact: bytes, small: bytes) -> Model:
    """A refiner with two files."""
    folder.mkdir()
    tables = ""
    for name, data in (("exact.onnx", exact), ("small.onnx", small)):
        (folder / name).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        tables += f'[[files]]\nname = "{name}"\nsha256 = "{sha256}"\nbytes = {len(data)}\n'
    head = f'name = "{folder.name}"\ntask = "plate.refine"\nadapter = "corner-patch"\nversion = "1"\nlicence = "none"\n'
    (folder / "model.toml").write_text(f'{head}source = "a test"\nint8 = "small.onnx"\n{tables}', encoding="utf-8")
    return open_model(folder)


@pytest.fixture
def heavy() -> bytes:
    return open_model(shipped("models") / "plate-refiner").read()


@pytest.fixture
def light(tmp_path: Path) -> bytes:
    """It answers without a look."""
    return plate_refiner(tmp_path / "light").read()


def test_the_quicker_file_is_taken(tmp_path: Path, heavy: bytes, light: bytes) -> None:
    assert open_quicker(pair(tmp_path / "gains", heavy, light)).name == "gains (int8)"
    assert open_quicker(pair(tmp_path / "loses", light, heavy)).name == "loses"


def test_a_model_of_one_file_is_that_file(tmp_path: Path) -> None:
    assert open_quicker(plate_refiner(tmp_path / "one")).name == "one"


def test_two_files_that_take_different_things_are_refused(tmp_path: Path, heavy: bytes) -> None:
    constant_net(tmp_path / "net.onnx", "patch", ["n", 80, 160, 3], {"score": np.zeros((1, 1), np.float32)}, batch=True)
    with pytest.raises(ModelError, match="take or give different things"):
        open_quicker(pair(tmp_path / "odd", heavy, (tmp_path / "net.onnx").read_bytes()))


def test_both_files_are_compared_with_the_card(tmp_path: Path, heavy: bytes, light: bytes) -> None:
    model = pair(tmp_path / "altered", heavy, light)
    (model.folder / "small.onnx").write_bytes(light[:-1] + b"\xff")
    with pytest.raises(ModelError, match=r"small\.onnx"):
        open_quicker(model)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """A car near the camera, 1280 x 720."""
    frame: Image = street_frames(tmp_path_factory.mktemp("street") / "drive")[-1]
    return frame


def both(name: str) -> tuple[Session, Session]:
    model = open_model(shipped("models") / name)
    assert model.card.int8 is not None
    return Session(model.read(), sizes=SIZES), Session(model.read(model.card.int8), sizes=SIZES)


def test_the_shipped_detectors_see_the_same_plate(street: Image) -> None:
    sheet = np.full((1, 256, 416, 3), GREY, np.uint8)
    sheet[0, :234] = cv2.resize(street, (416, 234), interpolation=cv2.INTER_AREA)
    exact, small = (net.run(sheet) for net in both("plate-detector"))
    seen = exact[0] > 0.4
    assert seen.any()
    assert (small[0][seen] > 0.2).all()
    assert np.abs(exact[1][seen] - small[1][seen]).mean() < 3  # pixels


def test_a_site_may_keep_to_float32() -> None:
    nets = [
        recogniser._finder._refiner._session.name  # type: ignore[attr-defined]
        for recogniser in (open_recogniser(model_dirs(), PlateReading(int8=int8)) for int8 in (True, False))
    ]
    assert nets[0] in {"plate-refiner", "plate-refiner (int8)"}
    assert nets[1] == "plate-refiner"


def test_the_shipped_refiners_put_the_corners_in_the_same_place(street: Image) -> None:
    (one, _), *_ = open_recogniser(model_dirs(), PlateReading()).recognise(street)
    cut, _ = patch(street, one.quad)
    exact, small = (net.run(cut[None]) for net in both("plate-refiner"))
    assert np.abs(exact[0] - small[0]).mean() < 3  # pixels of the patch
    assert abs(float(exact[1][0]) - float(small[1][0])) < 0.1
