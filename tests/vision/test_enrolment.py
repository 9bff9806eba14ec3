"""The enrolment gate on variations of a free portrait: what it refuses, what it says, what it lets in."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from gateway.faces import FaceStore, ModelId
from gateway.text import Language, Text
from gateway.vision.catalogue import open_model
from gateway.vision.desk import EnrolmentDesk, PhotosRefused
from gateway.vision.enrolment import Bounds, Gate
from gateway.vision.faces import FaceEmbedder, FaceFinder
from gateway.vision.gallery import Rule
from tests.test_faces import CONSENT

if TYPE_CHECKING:
    from gateway.types import Image


@pytest.fixture(scope="module")
def gate(face_models: Path) -> Gate:
    finder = FaceFinder(open_model(face_models / "mtcnn"), min_face=40)
    return Gate(finder, FaceEmbedder(open_model(face_models / "dlib-resnet")), Bounds(eyes=(24, 60)))


@pytest.fixture(scope="module")
def collins(portrait: Path) -> Image:
    return np.asarray(cv2.imread(str(portrait)), np.uint8)


def face_of(image: Image) -> Image:
    """The portrait's head, as a thumbnail would show it."""
    return image[20:260, 110:330]


def dimmed(image: Image, by: float) -> Image:
    return np.asarray(cv2.convertScaleAbs(image, alpha=by), np.uint8)


def test_a_good_portrait_passes_with_a_word_about_its_size(gate: Gate, collins: Image) -> None:
    portrait = gate.judge("me.jpg", collins)
    assert portrait.refusals == []
    (warning,) = portrait.warnings
    assert "44 pixels" in warning.say(Language.EN)
    assert "44 像素" in warning.say(Language.ZH)
    assert portrait.vector is not None
    assert "vector" not in repr(portrait)


def test_a_large_portrait_passes_without_a_word(gate: Gate, collins: Image) -> None:
    portrait = gate.judge("me.jpg", np.asarray(cv2.resize(collins, None, fx=4, fy=4)))
    assert portrait.refusals == []


def test_a_thumbnail_passes(gate: Gate, collins: Image) -> None:
    portrait = gate.judge("thumb.jpg", np.asarray(cv2.resize(face_of(collins), (180, 196))))
    assert portrait.refusals == []


def spoilt(how: str, image: Image) -> Image:
    match how:
        case "empty":
            return np.full_like(image, 127)
        case "thin":  # made smaller, it has less than a pixel of width
            return np.full((60_000, 16, 3), 127, np.uint8)
        case "two":
            return np.hstack([image, image[:, ::-1]])
        case "small":
            return np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        case "blurred":
            return np.asarray(cv2.GaussianBlur(image, (0, 0), 5))
        case "dark":
            return dimmed(image, 0.25)
        case "bright":
            return np.asarray(cv2.add(dimmed(image, 0.7), (120, 120, 120, 0)))
        case "flat":
            return np.asarray(cv2.addWeighted(image, 0.3, np.full_like(image, 128), 0.7, 0))
    raise AssertionError(how)


@pytest.mark.parametrize(
    ("how", "zh", "en"),
    [
        ("empty", "没有找到人脸", "no face found"),
        ("thin", "没有找到人脸", "no face found"),
        ("two", "2 张大小相近的人脸", "2 faces of similar size"),
        ("small", "两眼间距", "pixels between the eyes"),
        ("blurred", "清晰度", "sharpness"),
        ("dark", "太暗", "too dark"),
        ("bright", "过曝", "overexposed"),
        ("flat", "对比度", "contrast"),
    ],
)
def test_a_bad_photo_is_refused_with_measure_and_fix(gate: Gate, collins: Image, how: str, zh: str, en: str) -> None:
    refusals = gate.judge("p.jpg", spoilt(how, collins)).refusals
    sentence = next(one for one in refusals if en in one.say(Language.EN))
    for language, word in ((Language.ZH, zh), (Language.EN, en)):
        said = sentence.say(language)
        assert said.startswith("p.jpg")
        assert word in said
        assert any(digit in said for digit in "0123456789")
        assert "{" not in said


def test_the_least_distance_between_the_eyes_is_60_pixels_and_can_be_chosen(face_models: Path, collins: Image) -> None:
    finder, embedder = (
        FaceFinder(open_model(face_models / "mtcnn")),
        FaceEmbedder(open_model(face_models / "dlib-resnet")),
    )
    (refusal,) = Gate(finder, embedder, Bounds()).judge("p.jpg", collins).refusals
    assert "at least 60" in str(refusal)
    assert "--min-eyes" in str(refusal)
    assert Gate(finder, embedder, Bounds(eyes=(40, 60))).judge("p.jpg", collins).refusals == []


# ── the desk ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def desk(gate: Gate, face_models: Path, tmp_path: Path) -> EnrolmentDesk:
    card = open_model(face_models / "dlib-resnet").card
    store = FaceStore(tmp_path / "faces.db", lambda: bytes(32))
    return EnrolmentDesk(gate, store, ModelId(card.name, card.files[0].sha256), Rule.of(card.thresholds))


def silent(_: Text) -> None:
    """Nobody listens."""


def test_every_refusal_of_every_photo_is_said_at_once(
    desk: EnrolmentDesk, portrait: Path, collins: Image, tmp_path: Path
) -> None:
    dark, text = tmp_path / "dark.png", tmp_path / "notes.txt"
    cv2.imwrite(str(dark), dimmed(collins, 0.25))
    text.write_text("no picture")
    with pytest.raises(PhotosRefused) as caught:
        desk.judge("h:1", [dark, portrait, text, tmp_path / "gone.jpg"], tell=silent)
    said = str(caught.value.message)
    assert said.count("\n") >= 2
    for name in ("dark.png", "notes.txt", "gone.jpg"):
        assert name in said
    assert portrait.name not in said


def test_somebody_enrolled_under_another_name_is_refused(desk: EnrolmentDesk, portrait: Path, tmp_path: Path) -> None:
    vectors = desk.judge("h:1", [portrait], tell=silent)
    FaceStore(tmp_path / "faces.db", lambda: bytes(32)).enrol("h:1", vectors, CONSENT, desk.model)
    with pytest.raises(PhotosRefused) as caught:
        desk.judge("h:2", [portrait], tell=silent, names={"h:1": "r-0502"})
    assert "r-0502" in str(caught.value.message)
    assert desk.judge("h:2", [portrait], tell=silent, allow_similar=True)
    assert desk.judge("h:1", [portrait], tell=silent), "enrolling the same holder again is no double"


# ── ../shared ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.shared
def test_ordinary_photographs_pass_and_strangers_among_them_are_noticed(gate: Gate, shared: Path) -> None:
    """Of 187 photos, most of them thumbnails that need `--min-eyes`, at most one in twenty may be refused."""
    by_person: dict[str, list[Path]] = {}
    with (shared / "data" / "faces" / "labels.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_person.setdefault(row["identity"], []).append(shared / "data" / "faces" / row["file"])
    judged = {
        name: [gate.judge(path.name, np.asarray(cv2.imread(str(path)), np.uint8)) for path in paths]
        for name, paths in by_person.items()
    }
    every = [portrait for portraits in judged.values() for portrait in portraits]
    refused = [portrait for portrait in every if portrait.refusals]
    print(f"\nrefused {len(refused)} of {len(every)}")
    assert len(refused) <= len(every) / 20

    colleagues = [next(p for p in judged[name] if not p.refusals) for name in ("lfw_Colin_Powell", "lfw_Hugo_Chavez")]
    gate.compare(colleagues)
    assert all("another person" in str(portrait.refusals[-1]) for portrait in colleagues)
