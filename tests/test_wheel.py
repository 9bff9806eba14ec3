"""What leaves the house: the wheel has what a box needs and nothing else, and works where no checkout is."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.installed import ROOT, build_wheel, install

LARGEST = 60 << 20  # bytes; a wheel above this carries something it should not


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("box") / "venv")


def call(program: Path, *words: str) -> str:
    """Run the installed program away from the checkout; its standard output."""
    environment = {"PATH": os.environ["PATH"], "LANG": "en_US.UTF-8"}
    done = subprocess.run(
        [str(program), *words], cwd=program.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def call_python(program: Path, code: str) -> str:
    done = subprocess.run(
        [str(program.with_name("python")), "-c", code], cwd=program.parent, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def tracked(folder: str) -> set[str]:
    """The files of a shipped folder that belong to the project, relative to it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", folder], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.removeprefix(f"{folder}/") for name in listed.stdout.split("\0") if name}


def test_it_has_what_a_box_needs(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    for folder in ("config", "systemd"):
        assert {f"gateway/share/{folder}/{name}" for name in tracked(folder)} <= names
    models = {name for name in tracked("models") if not name.startswith("train/") and not name.endswith(".log")}
    assert {f"gateway/share/models/{name}" for name in models} <= names
    assert any(name.startswith("gateway/demo/plates/") for name in names)


def test_it_has_nothing_else(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    parts = [set(Path(name).parts) for name in names]
    assert not [
        name
        for name, words in zip(names, parts, strict=True)
        if words & {"tests", "shared", "data", "train", "docs", "requirements", "__pycache__"}
    ]
    assert {Path(name).parts[0].split("-")[0] for name in names} == {"gateway", "drivers", "compound_gateway"}
    kinds = {Path(name).suffix for name in names if name.startswith("gateway/share/models/")}
    assert kinds <= {".toml", ".onnx", ".md"}
    assert wheel.stat().st_size < LARGEST


def test_its_commands_work_without_the_checkout(program: Path) -> None:
    share = Path(call_python(program, "from gateway.shipped import shipped; print(shipped('config'))"))
    assert share.is_relative_to(program.parent.parent)
    assert "check" in call(program, "--help")
    counts = json.loads(call(program, "check", "--json", "--config", str(share / "gateway.toml")))
    assert counts["ok"] is True
    assert counts["readers"] == 1


def test_its_models_are_the_shipped_ones(program: Path) -> None:
    rows = {row["name"]: row for row in json.loads(call(program, "models", "list", "--json"))}
    cards = {path.parent.name for path in (ROOT / "models").glob("*/model.toml")}
    assert cards <= set(rows)
    assert all(Path(row["folder"]).is_relative_to(program.parent.parent) for row in rows.values())
    assert rows["mtcnn"]["state"] == "not made"  # made on the box, never shipped


def test_its_drivers_are_found(program: Path) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        points = tomllib.load(file)["project"]["entry-points"]
    code = """
import json
from gateway.registry import load_driver, names
found = {kind: names(kind) for kind in ("reader", "camera", "actuator")}
for kind, each in found.items():
    for name in each:
        load_driver(kind, name)
print(json.dumps(found))
"""
    found = json.loads(call_python(program, code))
    assert found == {kind: sorted(points[f"compound_gateway.{kind}s"]) for kind in found}
