"""Finding, aligning and comparing faces, with the real nets on a free portrait, and on the photographs of ../shared."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from onnx import TensorProto

from gateway.errors import ModelError
from gateway.vision.catalogue import open_model
from gateway.vision.chip import Template, cut_chip, similarity
from gateway.vision.detectors.candidates import suppress
from gateway.vision.detectors.mtcnn import pyramid, squared
from gateway.vision.faces import FaceEmbedder, FaceFinder, Vector, open_embedder
from gateway.vision.gallery import Gallery, Rule
from gateway.vision.verification import identify
from tests.vision.nets import card, constant_net

if TYPE_CHECKING:
    from gateway.types import Image


@pytest.fixture(scope="module")
def finder(face_models: Path) -> FaceFinder:
    return FaceFinder(open_model(face_models / "mtcnn"))


@pytest.fixture(scope="module")
def embedder(face_models: Path) -> FaceEmbedder:
    return FaceEmbedder(open_model(face_models / "dlib-resnet"))


@pytest.fixture(scope="module")
def collins(portrait: Path) -> Image:
    return np.asarray(cv2.imread(str(portrait)), np.uint8)


def turned(image: Image, degrees: float) -> Image:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def test_one_face_and_its_points(finder: FaceFinder, collins: Image) -> None:
    (face,) = finder.detect(collins)
    assert face.score > 0.99
    assert 150 < face.box.left < 190
    assert 60 < face.box.top < 90
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert face.eyes == pytest.approx(43.4, abs=1.5)
    assert "points" not in repr(face)


def test_each_of_several_faces_is_found_once(finder: FaceFinder, collins: Image) -> None:
    row = np.hstack([collins, cv2.resize(collins, (768, 768))[:512], collins[:, ::-1]])
    faces = finder.detect(row)
    assert len(faces) == 3
    areas = [face.box.width * face.box.height for face in faces]
    assert areas == sorted(areas, reverse=True)


@pytest.mark.parametrize("margin", [0, 5, 20])
def test_a_thumbnail_that_is_all_face(finder: FaceFinder, collins: Image, margin: int) -> None:
    (face,) = finder.detect(collins)
    box = face.box
    top, bottom = round(box.top) - margin, round(box.bottom) + margin
    crop = collins[top:bottom, round(box.left) - margin : round(box.right) + margin]
    (again,) = finder.detect(cv2.resize(crop, None, fx=2, fy=2))
    shift = (round(box.left) - margin, top)
    np.testing.assert_allclose(again.points / 2 + shift, face.points, atol=4)


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (16, 16), (480, 640), (37, 61)])
@pytest.mark.parametrize("fill", ["black", "noise", "stripes"])
def test_pictures_without_faces(finder: FaceFinder, shape: tuple[int, int], fill: str) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    if fill == "noise":
        picture = np.random.default_rng(3).integers(0, 256, picture.shape, np.uint8)
    elif fill == "stripes":
        picture[:, ::2] = 255
    assert finder.detect(picture) == []


def test_the_pyramid_ends_where_the_net_does(collins: Image) -> None:
    for min_face in (20, 60, 200, 600):
        levels = pyramid(collins, min_face)
        assert all(min(level.shape[:2]) >= 12 for level, _ in levels)
        assert bool(levels) == (min_face <= 512)


def test_suppression_equals_the_plain_rule() -> None:
    rng = np.random.default_rng(5)
    for of_smaller in (False, True):
        for _ in range(20):
            boxes = squared(np.sort(rng.uniform(0, 60, (40, 2, 2)), axis=1).reshape(40, 4).astype(np.float32))
            scores = rng.uniform(size=40).astype(np.float32)
            kept: list[int] = []
            for index in np.argsort(-scores):
                if all(overlap(boxes[index], boxes[better], of_smaller) <= 0.5 for better in kept):
                    kept.append(int(index))
            assert suppress(boxes, scores, 0.5, of_smaller=of_smaller).tolist() == kept


def overlap(one: np.ndarray, other: np.ndarray, of_smaller: bool) -> float:
    def area(box: np.ndarray) -> float:
        return float((box[2] - box[0] + 1) * (box[3] - box[1] + 1))

    across = min(one[2], other[2]) - max(one[0], other[0]) + 1
    down = min(one[3], other[3]) - max(one[1], other[1]) + 1
    shared = float(max(across, 0) * max(down, 0))
    return shared / (min(area(one), area(other)) if of_smaller else area(one) + area(other) - shared)


def template() -> Template:
    points = [[46.39, 44.77], [101.52, 44.54], [73.49, 77.27], [49.19, 101.12], [99.76, 99.86]]
    return Template(np.array(points), np.array([1, 0.98, 0.135, 0.094, 0.104]), 150, 150)


@pytest.mark.parametrize("degrees", [0, 17, -80, 180])
@pytest.mark.parametrize("scale", [0.3, 1, 4.2])
def test_similarity_undoes_turn_scale_and_shift(degrees: float, scale: float) -> None:
    turn = scale * np.exp(1j * math.radians(degrees))
    flat = template().points @ [1, 1j] * turn + (31 - 12j)
    matrix = similarity(np.stack([flat.real, flat.imag], 1), template())
    back = np.stack([flat.real, flat.imag], 1) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(back, template().points, atol=1e-6)
    assert np.linalg.det(matrix[:, :2]) > 0


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0, 7.5])
def test_the_chip_puts_marks_where_the_template_says(scale: float) -> None:
    points = template().points * scale + 40
    picture = np.zeros((int(190 * scale) + 80, int(190 * scale) + 80, 3), np.uint8)
    for x, y in points:
        cv2.circle(picture, (round(x), round(y)), max(2, round(3 * scale)), (255, 255, 255), -1)
    chip = cut_chip(picture, points, template())
    assert chip.shape == (150, 150, 3)
    for x, y in template().points:
        assert chip[round(y), round(x)].min() > 200
    assert chip.mean() < 20


def test_the_same_face_is_near_and_its_mirror_is_equal(
    finder: FaceFinder, embedder: FaceEmbedder, collins: Image
) -> None:
    def vector(image: Image) -> Vector:
        return embedder.embed(image, finder.detect(image)[0])

    first = vector(collins)
    assert first.shape == (128,)
    assert first.dtype == np.float32
    assert np.linalg.norm(vector(turned(collins, 12)) - first) < 0.3
    for scale in (0.6, 1.6, 2.5):
        assert np.linalg.norm(vector(np.asarray(cv2.resize(collins, None, fx=scale, fy=scale))) - first) < 0.25
    assert np.linalg.norm(vector(np.ascontiguousarray(collins[:, ::-1])) - first) < 0.2


def test_a_net_for_one_chip_at_a_time_and_of_any_length(tmp_path: Path, finder: FaceFinder, collins: Image) -> None:
    """As SFace's: float, channels first, a batch of one."""
    answer = {"fc1": np.array([[3.0, 4.0, 0.0]], np.float32)}
    net = tmp_path / "net.onnx"
    constant_net(net, "data", [1, 3, 112, 112], answer, batch=False, takes=TensorProto.FLOAT)
    points = ", ".join(f"{value}" for value in (template().points * 112 / 150).ravel())
    table = f'[input]\nwidth = 112\nheight = 112\npoints = [{points}]\nlayout = "nchw"\n[output]\nunit = 1\n'
    embedder = open_embedder(card(tmp_path, "face.embed", "face-chip", table))
    vector = embedder.embed(collins, finder.detect(collins)[0])
    np.testing.assert_allclose(vector, [0.6, 0.8, 0.0], atol=1e-6)
    with pytest.raises(ModelError, match="needs"):
        open_embedder(card(tmp_path, "face.embed", "face-chip", table.replace("112", "96")))


def test_a_model_for_something_else_is_refused(face_models: Path) -> None:
    with pytest.raises(ModelError):
        FaceFinder(open_model(face_models / "dlib-resnet"))
    with pytest.raises(ModelError):
        open_embedder(open_model(face_models / "mtcnn"))


# ── ../shared: the open-set rule on photographs of people ────────────────────────────────────────────────


@pytest.fixture(scope="module")
def people(shared: Path, finder: FaceFinder, embedder: FaceEmbedder) -> dict[str, list[Vector]]:
    """Identity -> vectors."""
    return embedded(shared, finder, embedder)


def embedded(shared: Path, finder: FaceFinder, embedder: FaceEmbedder) -> dict[str, list[Vector]]:
    """Every photo but one of 187 gives a face."""
    found: dict[str, list[Vector]] = defaultdict(list)
    missed = []
    with (shared / "data" / "faces" / "labels.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            image = np.asarray(cv2.imread(str(shared / "data" / "faces" / row["file"])), np.uint8)
            faces = finder.detect(image)
            if faces:
                found[row["identity"]].append(embedder.embed(image, faces[0]))
            else:
                missed.append(row["file"])
    assert len(missed) <= 2, missed
    return found


@pytest.mark.shared
def test_the_customary_threshold_would_let_strangers_in(people: dict[str, list[Vector]]) -> None:
    asian = {name: each for name, each in people.items() if name.startswith("ea_")}
    found = identify(asian, Rule(0.6, 0.0, 0.6), draws=5)
    assert found is not None
    assert found.strangers is not None
    assert found.strangers > 0.9


def mixed(people: dict[str, list[Vector]], rule: Rule, draws: int = 25) -> tuple[float, float, float]:
    """Six East Asian and eight western people enrolled: shares of own, wrong and strange East Asian faces accepted."""
    rng = np.random.default_rng(1)
    able = sorted(name for name, vectors in people.items() if len(vectors) > 3)
    asian = [name for name in able if name.startswith("ea_")]
    western = [name for name in able if not name.startswith("ea_")]
    counts = {"own": 0, "wrong": 0, "strangers": 0, "owns": 0, "strange": 0}
    for _ in range(draws):
        enrolled = [*rng.choice(asian, 6, replace=False), *rng.choice(western, 8, replace=False)]
        chosen = {name: set(rng.choice(len(people[name]), 3, replace=False).tolist()) for name in enrolled}
        gallery = Gallery([(name, people[name][at].tobytes()) for name in enrolled for at in chosen[name]], rule)
        for name in (name for name in people if name.startswith("ea_")):
            for index, vector in enumerate(people[name]):
                if index in chosen.get(name, ()):
                    continue
                match = gallery.match(vector)
                known = name in chosen
                counts["owns" if known else "strange"] += 1
                if match is not None:
                    counts["strangers" if not known else "own" if match.subject == name else "wrong"] += 1
    return (
        counts["own"] / counts["owns"],
        counts["wrong"] / counts["owns"],
        counts["strangers"] / counts["strange"],
    )


@pytest.mark.shared
def test_the_cohort_knows_more_people_and_fewer_strangers(people: dict[str, list[Vector]], face_models: Path) -> None:
    rule = Rule.of(open_model(face_models / "dlib-resnet").card.thresholds)
    without = mixed(people, replace(rule, cohort=math.inf, cohort_margin=None))
    with_cohort = mixed(people, rule)
    print(f"\nEast Asian own, wrong, strangers: {without} without the cohort, {with_cohort} with it")
    assert with_cohort[0] > without[0]
    assert with_cohort[1] <= 0.005
    assert with_cohort[2] < 0.75 * without[2]


def card_of_docs(shared: Path, folder: Path) -> Path:
    """The folder of a stronger net, its card taken from docs/models.md."""
    page = (Path(__file__).resolve().parent.parent.parent / "docs" / "models.md").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in page.split("```toml\n")[1:]]
    made = folder / "mobilefacenet"
    made.mkdir()
    (made / "mobilefacenet.onnx").write_bytes((shared / "models" / "mobilefacenet_foamliu.onnx").read_bytes())
    card = next(block for block in blocks if block.startswith('name = "mobilefacenet"'))
    (made / "model.toml").write_text(card, encoding="utf-8")
    return made


@pytest.mark.shared
def test_a_stronger_net_needs_only_its_card(shared: Path, finder: FaceFinder, tmp_path: Path) -> None:
    model = open_model(card_of_docs(shared, tmp_path))
    people = embedded(shared, finder, FaceEmbedder(model))
    rule = Rule.of(model.card.thresholds)
    western = identify({name: each for name, each in people.items() if not name.startswith("ea_")}, rule)
    asian = identify({name: each for name, each in people.items() if name.startswith("ea_")}, rule)
    print(f"\nwestern {western}\nEast Asian {asian}")
    assert western is not None
    assert asian is not None
    assert western.own > 0.99
    assert asian.own > 0.97
    assert western.strangers == western.wrong == asian.wrong == 0
    assert asian.strangers is not None
    assert asian.strangers <= 0.01
