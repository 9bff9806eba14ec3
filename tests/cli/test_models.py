"""`models list|verify|import|bench` as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import cli
from gateway.errors import GatewayError, StoreError
from gateway.text import Language
from tests.vision.nets import plate_refiner


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(
        f'[site]\ncompound_id = "east"\nname = "East"\nlanguage = "en"\n'
        f'[gateway]\nid = "box-1"\ndata_dir = "{tmp_path / "data"}"\n',
        encoding="utf-8",
    )
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["models", *map(str, arguments)])


def own_model(tmp_path: Path) -> Path:
    plate_refiner(tmp_path / "data" / "models" / "plate-refiner")
    return tmp_path / "data" / "models" / "plate-refiner"


def test_the_list_names_state_licence_and_source(tmp_path: Path, config: Path) -> None:
    folder = own_model(tmp_path)
    result = run("list", "--json", "--config", config)
    assert result.exit_code == 0
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["plate-refiner"]["folder"] == str(folder)
    assert rows["plate-refiner"]["state"] == "ok"
    assert rows["plate-refiner"]["licence"] == "none"
    assert rows["mtcnn"]["state"] == "not made"
    assert "plate-refiner" in run("list", "--config", config).stdout


def test_verify_tells_a_changed_byte_and_fails(tmp_path: Path, config: Path) -> None:
    folder = own_model(tmp_path)
    states = {row["name"]: row["state"] for row in json.loads(run("verify", "--json", "--config", config).stdout)}
    assert states["plate-refiner"] == "ok"
    net = folder / "net.onnx"
    net.write_bytes(net.read_bytes()[:-1] + b"\xff")
    result = run("verify", "--json", "--config", config)
    assert result.exit_code == 1
    faults = {row["name"]: row.get("fault", "") for row in json.loads(result.stdout)}
    assert "net.onnx" in faults["plate-refiner"]
    assert "plate-refiner: fault" in run("verify", "--config", config).stdout


def test_a_model_from_a_stick_is_copied_once_it_is_verified(tmp_path: Path, config: Path) -> None:
    plate_refiner(tmp_path / "stick" / "plate-refiner", score=0.7)
    plate_refiner(tmp_path / "stick" / "other-refiner")
    result = run("import", tmp_path / "stick", "--config", config)
    assert result.exit_code == 0, result.output
    own = tmp_path / "data" / "models"
    assert own.parent.stat().st_mode & 0o077 == 0  # made on the way, and nobody else's
    assert sorted(path.name for path in own.iterdir()) == ["other-refiner", "plate-refiner"]
    assert (own / "plate-refiner" / "net.onnx").read_bytes() == (
        tmp_path / "stick" / "plate-refiner" / "net.onnx"
    ).read_bytes()
    assert run("import", tmp_path / "stick" / "plate-refiner", "--config", config).exit_code == 0


def test_of_an_altered_stick_nothing_is_copied(tmp_path: Path, config: Path) -> None:
    plate_refiner(tmp_path / "stick" / "a-refiner")
    plate_refiner(tmp_path / "stick" / "b-refiner")
    net = tmp_path / "stick" / "b-refiner" / "net.onnx"
    net.write_bytes(net.read_bytes() + b"\0")
    result = run("import", tmp_path / "stick", "--config", config)
    assert isinstance(result.exception, GatewayError)
    assert not (tmp_path / "data" / "models").exists()
    assert isinstance(run("import", tmp_path, "--config", config).exception, GatewayError)


def test_the_bench_times_each_model(tmp_path: Path, config: Path) -> None:
    own_model(tmp_path)
    result = run("bench", "--rounds", "3", "--json", "--config", config)
    row = next(row for row in json.loads(result.stdout) if row["name"] == "plate-refiner")
    assert row["input"] == "1x80x160x3"
    assert 0 <= row["median_ms"] <= row["worst_ms"]


def test_a_model_that_cannot_run_does_not_stop_the_bench(tmp_path: Path, config: Path) -> None:
    folder = own_model(tmp_path)
    plate_refiner(tmp_path / "data" / "models" / "a-refiner")
    (tmp_path / "data" / "models" / "a-refiner" / "net.onnx").write_bytes(b"altered")
    result = run("bench", "--rounds", "1", "--json", "--config", config)
    assert result.exit_code == 1
    assert "a-refiner" in result.stderr
    assert folder.name in {row["name"] for row in json.loads(result.stdout)}


@pytest.mark.usefixtures("humble")
def test_a_folder_that_may_not_be_written_is_told_in_the_site_s_language(tmp_path: Path, config: Path) -> None:
    plate_refiner(tmp_path / "stick" / "plate-refiner")
    models = tmp_path / "data" / "models"
    models.mkdir(parents=True, exist_ok=True)
    models.chmod(0o555)
    result = run("import", tmp_path / "stick", "--config", config)
    assert isinstance(result.exception, StoreError)
    assert "无法写入" in result.exception.say(Language.ZH)
    assert "check disk space and permissions" in result.exception.say(Language.EN)
