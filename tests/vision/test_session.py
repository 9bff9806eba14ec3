"""One ONNX file on one thread: shapes, types and damaged files become ModelError."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import ModelError
from gateway.vision.session import Session
from tests.vision.nets import plate_refiner


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(plate_refiner(tmp_path / "plate-refiner").read(), name="plate-refiner")


def test_a_batch_gives_one_answer_an_item(session: Session) -> None:
    corners, score, rows, colour = session.run(np.zeros((3, 80, 160, 3), np.uint8))
    assert (corners.shape, score.shape, rows.shape, colour.shape) == ((3, 8), (3,), (3,), (3, 5))
    assert session.shape == (None, 80, 160, 3)
    assert list(session.outputs) == ["corners", "score", "rows", "colour"]


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, 80, 160, 3), np.float32),
        np.zeros((1, 80, 161, 3), np.uint8),
        np.zeros((80, 160, 3), np.uint8),
        np.zeros((0,), np.uint8),
    ],
)
def test_another_shape_or_type_is_a_model_error(
    session: Session, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    with pytest.raises(ModelError, match="plate-refiner takes"):
        session.run(array)


def test_what_an_adapter_needs_is_checked_at_loading(session: Session) -> None:
    session.require((None, 80, 160, 3), ("corners", "score", "rows", "colour"))
    with pytest.raises(ModelError, match="its adapter needs"):
        session.require((None, 48, 168, 3), ("prob", "colour"))


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x08\x07" * 50])
def test_what_is_no_model_is_a_model_error(data: bytes) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        Session(data, name="broken")


def test_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        Session(tmp_path / "nowhere.onnx")


def test_the_runtime_tells_its_makers_nothing(tmp_path: Path) -> None:
    """It would keep its records under HOME until it can send them. It holds back by itself where CI is set."""
    model, home = plate_refiner(tmp_path / "plate-refiner"), tmp_path / "home"
    home.mkdir()
    code = (
        "import sys; from pathlib import Path; from gateway.vision.session import Session; Session(Path(sys.argv[1]))"
    )
    file = model.folder / model.card.files[0].name
    subprocess.run([sys.executable, "-c", code, str(file)], env={"HOME": str(home), "PATH": ""}, check=True)
    assert not list(home.rglob("*"))
