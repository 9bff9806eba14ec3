"""The passive liveness slot: a tiny net that takes bright patches for living faces, and what a look makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gateway.clock import now
from gateway.errors import ModelError
from gateway.faces import FILE_NAME, Consent, FaceStore
from gateway.keys import Keys
from gateway.privacy import refuse_face_data
from gateway.settings import Settings
from gateway.types import Box, Frame
from gateway.vision.catalogue import Model, open_model
from gateway.vision.enrolled import identity
from gateway.vision.faces import FaceEmbedder, FaceFinder
from gateway.vision.liveness import PatchLiveness, open_liveness
from gateway.vision.looks import build
from tests.vision.nets import card


def judge(folder: Path, threshold: float = 0.5, *, live: int = 1, scale: float = 2.7, side: int = 32) -> Model:
    """Three classes; the second one's logit is (mean of the patch - 100) / 10, the others' are 0."""
    folder.mkdir(parents=True)
    values = [
        numpy_helper.from_array(np.array(value, dtype), name)
        for name, value, dtype in (
            ("axes", [1, 2, 3], np.int64),
            ("middle", [100.0], np.float32),
            ("weights", [[0.0, 0.1, 0.0]], np.float32),
            ("flat", [-1, 1], np.int64),
        )
    ]
    nodes = [
        helper.make_node("ReduceMean", ["patch"], ["mean"], keepdims=0, axes=[1, 2, 3]),
        helper.make_node("Sub", ["mean", "middle"], ["above"]),
        helper.make_node("Reshape", ["above", "flat"], ["column"]),
        helper.make_node("MatMul", ["column", "weights"], ["logits"]),
    ]
    given = helper.make_tensor_value_info("patch", TensorProto.FLOAT, [1, 3, side, side])
    answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(nodes, "brightness", [given], [answer], values[1:])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(folder / "net.onnx")
    )
    table = (
        f'[input]\nwidth = {side}\nheight = {side}\nscale = {scale}\nlayout = "nchw"\n'
        f"[output]\nlive = {live}\n[thresholds]\nlive = {threshold}\n"
    )
    return card(folder, "face.liveness", "liveness-patch", table)


def test_the_score_is_the_share_of_the_living_class(tmp_path: Path) -> None:
    liveness = open_liveness(judge(tmp_path / "bright"))
    box = Box(40, 40, 60, 60)
    scores = [liveness.score(np.full((100, 100, 3), grey, np.uint8), box) for grey in (0, 100, 200)]
    assert scores[0] < 0.001
    assert scores[1] == pytest.approx(1 / 3, abs=1e-3)
    assert scores[2] > 0.999
    assert (liveness.name, liveness.threshold) == ("bright", 0.5)


@pytest.mark.parametrize(
    "box", [Box(-30, -30, 10, 10), Box(90, 95, 130, 140), Box(0, 0, 100, 100), Box(50, 50, 50, 50)]
)
def test_the_patch_stays_inside_the_picture(tmp_path: Path, box: Box) -> None:
    liveness = PatchLiveness(judge(tmp_path / "bright"), threads=1)
    picture = np.full((100, 100, 3), 77, np.uint8)
    assert (liveness.patch(picture, box) == 77).all()


def test_the_patch_shows_the_surroundings(tmp_path: Path) -> None:
    liveness = PatchLiveness(judge(tmp_path / "bright", scale=2.0), threads=1)
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[80:120, 80:120] = 255
    patch = liveness.patch(picture, Box(80, 80, 120, 120))
    assert patch.shape == (32, 32, 3)
    assert patch[9:23, 9:23].min() > 200
    assert patch[:7].max() < 50


def test_a_card_that_is_wrong_is_refused(tmp_path: Path) -> None:
    judge(tmp_path / "a")
    path = tmp_path / "a" / "model.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in (
        ("live = 1", ""),
        ("width = 32", "width = 5000"),
        ("width = 32", "width = 40"),
        ("live = 0.5", ""),
    ):
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(ModelError):
            open_liveness(open_model(tmp_path / "a"))
    with pytest.raises(ModelError, match="3 classes"):
        open_liveness(judge(tmp_path / "b", live=3)).score(np.zeros((9, 9, 3), np.uint8), Box(0, 0, 9, 9))


@pytest.fixture
def site(tmp_path: Path, face_models: Path, portrait: Path) -> Path:
    """A data folder with one person enrolled from the portrait."""
    (tmp_path / "models").mkdir()
    for name in ("mtcnn", "dlib-resnet"):
        (tmp_path / "models" / name).symlink_to(face_models / name)
    image = np.asarray(cv2.imread(str(portrait)), np.uint8)
    embedder = FaceEmbedder(open_model(face_models / "dlib-resnet"))
    face = FaceFinder(open_model(face_models / "mtcnn")).detect(image)[0]
    consent = Consent("1", "paper", "binder 1", datetime(2026, 1, 1, tzinfo=UTC))
    store = FaceStore(tmp_path / FILE_NAME, Keys(tmp_path).face_key)
    store.enrol("h:1", [embedder.embed(image, face).tolist()], consent, identity(embedder.model))
    return tmp_path


def test_who_does_not_seem_to_live_is_not_recognised(site: Path, portrait: Path) -> None:
    judge(site / "models" / "bright", 0.2)
    judge(site / "models" / "strict", 0.999999)
    frame = Frame(np.asarray(cv2.imread(str(portrait)), np.uint8), now())
    seen = {}
    for liveness in ("", "bright", "strict"):
        face = {"enabled": True, "purpose": "p", "necessity": "n", "pia_ref": "r", "liveness": liveness}
        tables = {"site": {"compound_id": "east", "name": "East"}, "gateway": {"id": "b", "data_dir": site}}
        (seen[liveness],) = build("face", Settings.model_validate({**tables, "face": face}))(frame)
    assert seen[""].match.subject == "h:1"
    assert seen[""].match.liveness == "none"
    name, _, score = seen["bright"].match.liveness.rpartition(":")
    assert name == "passive:bright"
    assert 0.2 <= float(score) <= 1
    refuse_face_data({"liveness": seen["bright"].match.liveness})
    assert (seen["strict"].match, seen["strict"].lives) == (None, False)
    assert seen[""].lives
    assert seen["bright"].lives
