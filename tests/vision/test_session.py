"""One ONNX file on one thread: shapes, types and damaged files become ModelError."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import onnxruntime
import pytest

from gateway.errors import ModelError
from gateway.settings import Provider
from gateway.vision import providers
from gateway.vision.session import Session
from tests.vision.nets import constant_net, plate_refiner


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(plate_refiner(tmp_path / "plate-refiner").read(), name="plate-refiner")


def test_a_batch_gives_one_answer_an_item(session: Session) -> None:
    corners, score, rows, colour = session.run(np.zeros((3, 80, 160, 3), np.uint8))
    assert (corners.shape, score.shape, rows.shape, colour.shape) == ((3, 8), (3,), (3,), (3, 5))
    assert session.shape == (None, 80, 160, 3)
    assert list(session.outputs) == ["corners", "score", "rows", "colour"]


def test_the_file_of_a_net_is_not_kept_beside_its_weights(tmp_path: Path) -> None:
    data = plate_refiner(tmp_path / "plate-refiner").read()
    before = sys.getrefcount(data)
    session = Session(data, name="plate-refiner")
    assert sys.getrefcount(data) == before
    session.run(np.zeros((1, 80, 160, 3), np.uint8))


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


def free_sized(path: Path) -> bytes:
    """A net whose picture may have any size: the file calls its sides height and width."""
    constant_net(path, "image", ["n", "height", "width", 3], {"score": np.zeros((1, 2), np.float32)}, batch=True)
    return path.read_bytes()


def test_sizes_that_a_file_leaves_free_can_be_fixed(tmp_path: Path) -> None:
    data = free_sized(tmp_path / "net.onnx")
    assert Session(data).shape == (None, None, None, 3)
    fixed = Session(data, sizes={"height": 384, "width": 640, "depth": 7})
    assert fixed.shape == (None, 384, 640, 3)
    assert fixed.run(np.zeros((2, 384, 640, 3), np.uint8))[0].shape == (2, 2)
    with pytest.raises(ModelError, match="takes"):
        fixed.run(np.zeros((1, 640, 384, 3), np.uint8))


@pytest.fixture
def preferred() -> Iterator[Callable[[list[Provider]], None]]:
    yield providers.prefer
    providers.prefer([])


def test_by_default_a_model_runs_on_the_cpu(session: Session) -> None:
    assert (session.provider, providers.fallbacks()) == ("cpu", ())


def test_a_provider_that_this_build_lacks_falls_back_and_is_said_once(
    tmp_path: Path, preferred: Callable[[list[Provider]], None], caplog: pytest.LogCaptureFixture
) -> None:
    data = free_sized(tmp_path / "net.onnx")
    preferred(["cann", "migraphx"])
    sessions = [Session(data, name="one"), Session(data, name="two")]
    assert [one.provider for one in sessions] == ["cpu", "cpu"]
    assert sessions[0].run(np.zeros((1, 8, 8, 3), np.uint8))[0].shape == (1, 2)
    said = [str(note) for note in providers.fallbacks()]
    assert len(said) == 2
    assert "no cann" in said[0]
    assert "不含 cann" in caplog.text
    assert "no cann" in caplog.text
    preferred([])
    assert providers.fallbacks() == ()


def test_a_provider_that_cannot_open_the_model_falls_back_and_says_why(
    tmp_path: Path, preferred: Callable[[list[Provider]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that has CUDA on a box that has none: it is listed, and asking for it fails."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    preferred(["cuda"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the runtime's own, which this build gives
        session = Session(free_sized(tmp_path / "net.onnx"), name="gate")
    assert session.provider == "cpu"
    assert [str(note) for note in providers.fallbacks() if "cuda cannot run model gate" in str(note)]


def test_a_damaged_model_stays_a_fault_whatever_is_preferred(preferred: Callable[[list[Provider]], None]) -> None:
    preferred(["openvino"])
    with pytest.raises(ModelError, match="cannot be loaded"):
        Session(b"not a model", name="broken")


def test_every_provider_of_the_configuration_has_a_name_of_the_runtime() -> None:
    assert set(providers._NAMES) == set(get_args(Provider))
    assert set(providers._NAMES.values()) <= set(onnxruntime.get_all_providers())
