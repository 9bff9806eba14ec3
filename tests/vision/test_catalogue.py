"""Cards, search order, and that no altered byte is ever loaded."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import ModelError
from gateway.shipped import shipped
from gateway.text import Language, spoken
from gateway.vision.catalogue import Model, find, folders, model_dirs, open_model
from gateway.vision.detectors.candidates import bounds, longest_side
from gateway.vision.plates.corner_map import CornerMap
from tests.vision.nets import plate_detector, plate_refiner

QUAD = np.array([[100, 100], [180, 100], [180, 130], [100, 130]], np.float32)


def test_a_sound_model_verifies(tmp_path: Path) -> None:
    model = plate_refiner(tmp_path / "plate-refiner")
    model.verify()
    assert find("plate-refiner", [tmp_path]).read() == (tmp_path / "plate-refiner" / "net.onnx").read_bytes()


def test_any_changed_byte_is_refused(tmp_path: Path) -> None:
    model = plate_refiner(tmp_path / "plate-refiner")
    path = tmp_path / "plate-refiner" / "net.onnx"
    whole = path.read_bytes()
    for at in (0, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ModelError, match="plate-refiner") as caught:
            model.verify()
        assert "models verify" in str(caught.value.hint)
    for other in (whole + b"\0", whole[:-1], b""):
        path.write_bytes(other)
        with pytest.raises(ModelError):
            model.read()


def test_a_changed_byte_stops_the_detector_from_loading(tmp_path: Path) -> None:
    detector = plate_detector(tmp_path / "plate-detector", [(QUAD, 0.9)])
    path = tmp_path / "plate-detector" / "net.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    with pytest.raises(ModelError):
        CornerMap(detector)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    model = plate_refiner(tmp_path / "plate-refiner")
    (tmp_path / "plate-refiner" / "net.onnx").unlink()
    with pytest.raises(ModelError, match="No such file"):
        model.read()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('version = "1"', 'version = "1"\nlicense = "MIT"'),  # misspelt key
        ('task = "plate.refine"', 'task = "plate.guess"'),
        ('name = "net.onnx"', 'name = "../net.onnx"'),
        ('name = "plate-refiner"', 'name = "other"'),
        ('licence = "none"', "licence = none"),
        ("bytes = ", "bytes = -"),
        ('version = "1"', "version = " + "[" * 5000),
    ],
)
def test_a_card_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str) -> None:
    plate_refiner(tmp_path / "plate-refiner")
    path = tmp_path / "plate-refiner" / "model.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        open_model(tmp_path / "plate-refiner")
    assert is_in_both_languages(caught.value)


@pytest.mark.parametrize("key", ["input", "thresholds"])
def test_a_card_that_its_adapter_cannot_take_is_told_in_both_languages(tmp_path: Path, key: str) -> None:
    model = plate_refiner(tmp_path / "plate-refiner")
    card = model.card.model_copy(update={key: {"longest": 5}})
    with pytest.raises(ModelError) as caught:
        (longest_side if key == "input" else partial(bounds, score=0.5, overlap=0.5))(Model(card, model.folder))
    assert is_in_both_languages(caught.value)


def is_in_both_languages(error: ModelError) -> bool:
    """Beside its hint, which always was."""
    said = {language: spoken(error.message, language) for language in Language}
    return [bool(re.search("[一-龥]", said[language])) for language in (Language.ZH, Language.EN)] == [True, False]


def test_own_models_go_before_shipped_ones(tmp_path: Path) -> None:
    plate_refiner(tmp_path / "data" / "models" / "plate-refiner", score=0.1)
    plate_refiner(tmp_path / "shipped" / "plate-refiner", score=0.2)
    plate_refiner(tmp_path / "shipped" / "other-refiner")
    dirs = [tmp_path / "data" / "models", tmp_path / "shipped"]
    assert find("plate-refiner", dirs).folder == dirs[0] / "plate-refiner"
    assert [path.name for path in folders(dirs)] == ["plate-refiner", "other-refiner"]
    assert model_dirs(tmp_path / "data") == [tmp_path / "data" / "models", shipped("models")]


def test_an_unknown_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        find("no-such-model", [tmp_path])
    assert "models list" in str(caught.value.hint)


def test_a_folder_named_otherwise_than_its_card_is_told_what_to_do(tmp_path: Path) -> None:
    plate_refiner(tmp_path / "plate-refiner").folder.rename(tmp_path / "copy")
    with pytest.raises(ModelError) as caught:
        open_model(tmp_path / "copy")
    assert "模型卡的名称" in caught.value.say(Language.ZH)
    assert "give the folder the same name" in caught.value.say(Language.EN)
