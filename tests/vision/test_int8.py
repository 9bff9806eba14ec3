"""The int8 twin of the embedder: near the float32 net, a model of its own, and kept only where it is worth it."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import ModelError
from gateway.vision.catalogue import open_model
from gateway.vision.faces import FaceFinder, open_embedder
from gateway.vision.images import read_image
from gateway.vision.prepare import INT8, int8, prepare_int8
from gateway.vision.prepare.drawn_faces import draw_faces


@pytest.fixture(scope="module")
def models(face_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both embedders, the second made here whatever this machine gains from it."""
    folder = tmp_path_factory.mktemp("int8") / "models"
    shutil.copytree(face_models, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8, "_MOST_TIME", math.inf)
        assert prepare_int8(folder, lambda _: None) == folder / INT8
    return folder


def test_it_sees_the_same_face_as_the_float32_net(models: Path, portrait: Path) -> None:
    image = read_image(portrait)
    face = FaceFinder(open_model(models / "mtcnn")).detect(image)[0]
    exact, small = (open_embedder(open_model(models / name)).embed(image, face) for name in ("dlib-resnet", INT8))
    assert 0 < np.linalg.norm(exact - small) < 0.25


def test_its_card_says_what_was_made_and_measured(models: Path) -> None:
    model = open_model(models / INT8)
    model.verify()
    exact = open_model(models / "dlib-resnet")
    assert model.card.thresholds == exact.card.thresholds
    assert model.card.input == exact.card.input
    assert model.card.files[0].bytes < exact.card.files[0].bytes / 3
    assert model.fingerprint != exact.fingerprint  # so templates of one are never compared with the other's
    found = {one.metric: one.value for one in model.card.accuracy if "on the box that made it" in one.data}
    assert found["share of the float32 net's time"] > 0
    assert found["mean distance from the float32 net's vectors"] <= 0.15


def test_a_second_run_keeps_it(models: Path) -> None:
    before = (models / INT8 / "model.toml").stat()
    said: list[str] = []
    prepare_int8(models, lambda text: said.append(str(text)))
    assert (models / INT8 / "model.toml").stat().st_ino == before.st_ino
    assert said == [f"{INT8} is there: {models / INT8}"]


def test_where_the_box_gains_too_little_nothing_is_made(
    face_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(face_models, tmp_path / "models")
    monkeypatch.setattr(int8, "_MOST_TIME", 0.0)
    said: list[str] = []
    assert prepare_int8(tmp_path / "models", lambda text: said.append(str(text))) is None
    assert not (tmp_path / "models" / INT8).exists()
    assert "gains too little" in said[0]


@pytest.mark.parametrize(
    ("time", "drift", "worth"), [(0.5, 0.1, True), (0.9, 0.1, False), (0.5, 0.2, False), (0.5, math.nan, False)]
)
def test_it_must_be_both_faster_and_near(time: float, drift: float, worth: bool) -> None:
    assert int8.Figures(time, drift, drift).is_worth_it == worth


def test_an_altered_embedder_is_not_quantised(face_models: Path, tmp_path: Path) -> None:
    shutil.copytree(face_models, tmp_path / "models")
    (tmp_path / "models" / "dlib-resnet" / "dlib-resnet.onnx").write_bytes(b"altered")
    with pytest.raises(ModelError):
        prepare_int8(tmp_path / "models", lambda _: None)
    assert not (tmp_path / "models" / INT8).exists()


def test_drawn_faces_are_the_same_each_time_and_differ_by_seed() -> None:
    assert np.array_equal(draw_faces(3, 7), draw_faces(3, 7))
    assert not np.array_equal(draw_faces(3, 7), draw_faces(3, 8))
    assert draw_faces(3, 7).shape == (3, 150, 150, 3)
