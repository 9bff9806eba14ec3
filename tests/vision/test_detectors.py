"""The adapters of face detectors on nets whose answers are known, and the registry an outsider adds to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from gateway.errors import ModelError
from gateway.vision import adapters
from gateway.vision.catalogue import Model
from gateway.vision.detectors.candidates import lay
from gateway.vision.faces import FaceFinder
from tests.vision.nets import card, constant_net

SIDE = 320  # pixels of the nets made here
STRIDES = (8, 16, 32)
POINTS = np.array([[40, 50], [80, 50], [60, 75], [45, 95], [75, 95]], np.float32)
BOX = np.array([25, 20, 95, 115], np.float32)


def yunet(folder: Path, shift: float = 0.0, missing: str = "", **more: str) -> Model:
    """Says one face, BOX and POINTS moved by `shift`, in two cells of stride 16 and nothing elsewhere."""
    folder.mkdir(parents=True)
    outputs: dict[str, np.ndarray] = {}
    for stride in STRIDES:
        cells = (SIDE // stride) ** 2
        for kind, last in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{kind}_{stride}"] = np.zeros((1, cells, last), np.float32)
    for column, row, sure in ((3, 4, 0.9), (4, 4, 0.7)):
        at, cell = row * (SIDE // 16) + column, np.array([column, row], np.float32)
        outputs["cls_16"][0, at], outputs["obj_16"][0, at] = sure, 0.9
        centre, size = (BOX[:2] + BOX[2:]) / 2 + shift, BOX[2:] - BOX[:2]
        outputs["bbox_16"][0, at] = [*(centre / 16 - cell), *np.log(size / 16)]
        outputs["kps_16"][0, at] = ((POINTS + shift) / 16 - cell).ravel()
    outputs.pop(missing, None)
    constant_net(folder / "net.onnx", "input", [1, 3, SIDE, SIDE], outputs, batch=False, takes=TensorProto.FLOAT)
    return card(folder, "face.detect", more.get("adapter", "yunet"), more.get("table", ""))


def scrfd(folder: Path, anchors: int = 2, batched: bool = False, table: str = "") -> Model:
    """The same face, in the second anchor of one cell of stride 32; nine outputs with numbers for names."""
    folder.mkdir(parents=True)
    outputs: dict[str, np.ndarray] = {}
    for last in (1, 4, 10):
        for stride in STRIDES:
            outputs[str(443 + len(outputs))] = np.zeros(((SIDE // stride) ** 2 * anchors, last), np.float32)
    score, distances, offsets = list(outputs.values())[2::3]
    at, centre = (2 * (SIDE // 32) + 1) * anchors + anchors - 1, np.array([32, 64], np.float32)
    score[at] = 0.8
    distances[at] = np.concatenate([centre - BOX[:2], BOX[2:] - centre]) / 32
    offsets[at] = ((POINTS - centre) / 32).ravel()
    if batched:
        outputs = {name: array[None] for name, array in outputs.items()}
    constant_net(folder / "net.onnx", "input.1", [1, 3, SIDE, SIDE], outputs, batch=False, takes=TensorProto.FLOAT)
    return card(folder, "face.detect", "scrfd", table)


def picture(height: int = SIDE, width: int = SIDE) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def test_yunet_says_each_face_once_in_pixels_of_the_picture(tmp_path: Path) -> None:
    finder = FaceFinder(yunet(tmp_path / "yunet"), min_face=20)
    (face,) = finder.detect(picture())
    np.testing.assert_allclose(face.points, POINTS, atol=1e-3)
    np.testing.assert_allclose([face.box.left, face.box.top, face.box.right, face.box.bottom], BOX, atol=1e-3)
    assert face.score == pytest.approx(0.9)
    (face,) = finder.detect(picture(2 * SIDE, SIDE))  # laid on the sheet at half its size
    np.testing.assert_allclose(face.points, 2 * POINTS, atol=1e-3)


@pytest.mark.parametrize("batched", [False, True])
def test_scrfd_decodes_distances_and_points(tmp_path: Path, batched: bool) -> None:
    (face,) = FaceFinder(scrfd(tmp_path / "scrfd", batched=batched), min_face=20).detect(picture())
    np.testing.assert_allclose(face.points, POINTS, atol=1e-3)
    np.testing.assert_allclose([face.box.left, face.box.top, face.box.right, face.box.bottom], BOX, atol=1e-3)
    assert face.score == pytest.approx(0.8)


def test_one_anchor_is_said_by_the_card(tmp_path: Path) -> None:
    one = scrfd(tmp_path / "one", anchors=1, table="[output]\nanchors = 1\n")
    assert len(FaceFinder(one).detect(picture())) == 1
    with pytest.raises(ModelError, match="anchors"):
        FaceFinder(scrfd(tmp_path / "two", anchors=1)).detect(picture())


def test_small_faces_and_unsure_ones_are_left_out(tmp_path: Path) -> None:
    assert FaceFinder(yunet(tmp_path / "a"), min_face=100).detect(picture()) == []
    assert FaceFinder(yunet(tmp_path / "b", table="[thresholds]\nscore = 0.95\n")).detect(picture()) == []
    assert FaceFinder(yunet(tmp_path / "c", shift=-400)).detect(picture()) == []  # wholly outside


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (700, 3), (32, 32)])
def test_any_size_of_picture_is_laid_on_the_sheet(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 7, np.uint8)
    fixed, free = lay(image, (SIDE, SIDE), 640), lay(image, (None, None), 640)
    assert fixed.pixels.shape == (SIDE, SIDE, 3)
    assert all(side % 32 == 0 and 0 < side <= 640 for side in free.pixels.shape[:2])
    assert fixed.pixels.any()


def test_a_net_of_another_kind_is_refused(tmp_path: Path) -> None:
    for number, missing in enumerate(("kps_8", "cls_32")):
        with pytest.raises(ModelError, match="no YuNet"):
            FaceFinder(yunet(tmp_path / str(number), missing=missing))
    with pytest.raises(ModelError, match="no SCRFD"):
        FaceFinder(yunet(tmp_path / "yunet", adapter="scrfd"))
    with pytest.raises(ModelError, match="thresholds"):
        FaceFinder(yunet(tmp_path / "other", table="[thresholds]\npropose = 0.6\n"))


def test_an_unknown_adapter_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="retinaface") as caught:
        FaceFinder(yunet(tmp_path / "a", adapter="retinaface"))
    assert "mtcnn, scrfd, yunet" in str(caught.value.hint)


def test_an_outsider_adds_one_file_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapter printed in docs/models.md, in a package of its own: nothing in the house is edited."""
    page = (Path(__file__).resolve().parent.parent.parent / "docs" / "models.md").read_text(encoding="utf-8")
    (tmp_path / "whole.py").write_text(page.split("```python\n")[1].split("```")[0], encoding="utf-8")
    info = tmp_path / "whole-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: whole\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        f"[{adapters.GROUP}]\nface.detect.whole = whole:Whole\nface.detect.broken = whole:Gone\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "m").mkdir()
    outputs = {
        "boxes": np.array([BOX, BOX + 1, BOX + 150], np.float32),
        "scores": np.array([0.9, 0.8, 0.3], np.float32),
        "points": np.stack([POINTS.ravel()] * 3),
    }
    net = tmp_path / "m" / "net.onnx"
    constant_net(net, "input", [1, 3, SIDE, SIDE], outputs, batch=False, takes=TensorProto.FLOAT)
    (face,) = FaceFinder(card(tmp_path / "m", "face.detect", "whole")).detect(picture(2 * SIDE, 2 * SIDE))
    np.testing.assert_allclose(face.points, 2 * POINTS)
    assert "face.detect.whole" in adapters.names()
    with pytest.raises(ModelError, match="cannot be loaded"):
        FaceFinder(card(tmp_path / "m", "face.detect", "broken"))
