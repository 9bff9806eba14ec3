"""Drivers by name."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.errors import DeviceLost, Rejected
from gateway.registry import Kind, load_driver, names
from tests.house import HEAD

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GROUPS: dict[Kind, list[str]] = {
    kind: sorted(PROJECT["entry-points"][f"compound_gateway.{kind}s"]) for kind in ("reader", "camera", "actuator")
}
NEEDED = {
    "line": {"pattern": "(?P<dec>.*)"},
    "modbus-reader": {"first_register": 0, "count": 2, "format": "hex"},
    "osdp": {"secure": False},
}
SERIAL = [
    *(
        ("reader", name)
        for name in ("rdm6300", "em18", "stxlen", "wiegand", "line", "pn532", "yhy", "modbus-reader", "osdp")
    ),
    ("actuator", "lcus1"),
    ("actuator", "modbus-relay"),
]


@pytest.mark.parametrize("kind", GROUPS)
def test_what_is_installed_is_what_the_project_names(kind: Kind) -> None:
    assert set(GROUPS[kind]) <= set(names(kind)), "run: pip install -e . (the entry points changed)"


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, found in GROUPS.items() for name in found])
def test_every_driver_loads_and_refuses_unknown_options(kind: Kind, name: str) -> None:
    driver = load_driver(kind, name)
    assert driver.Options.model_config.get("extra") == "forbid"
    assert driver.Options.model_config.get("frozen") is True
    with pytest.raises(ValidationError):
        driver.Options.model_validate({"prot": "/dev/ttyUSB0"})


@pytest.mark.parametrize(("kind", "name"), SERIAL)
def test_a_port_that_is_not_there_is_a_lost_device(kind: Kind, name: str) -> None:
    driver = load_driver(kind, name)
    options = driver.Options.model_validate({"port": "/dev/serial/by-id/none", **NEEDED.get(name, {})})
    with pytest.raises(DeviceLost) as caught:
        driver.connect(options)
    assert str(caught.value.hint)


def test_a_misspelt_name_is_refused_with_the_right_one() -> None:
    with pytest.raises(Rejected) as caught:
        load_driver("reader", "rdm630")
    assert "did you mean rdm6300" in str(caught.value.hint)
    assert "wiegand" in str(caught.value.hint)


@pytest.mark.parametrize("slip", ["import no_such_library", "Options =", "x = y", "int('a')", "1 + 'a'", "Options = 1"])
def test_a_slip_in_a_driver_of_another_package_is_a_fault_with_its_key(tmp_path: Path, slip: str) -> None:
    (tmp_path / "acme_reader.py").write_text(f"{slip}\n", encoding="utf-8")
    package = tmp_path / "acme-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n", encoding="utf-8")
    (package / "entry_points.txt").write_text("[compound_gateway.readers]\nacme = acme_reader\n", encoding="utf-8")
    point = '[points.door]\nname = "Door"\nkind = "pedestrian"\ndirection = "in"\n'
    config = tmp_path / "gateway.toml"
    config.write_text(f'{HEAD}{point}[readers.hall]\ndriver = "acme"\npoint = "door"\n', encoding="utf-8")
    command = [sys.executable, "-m", "gateway", "check", "--config", str(config)]
    paths = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 78, done.stderr
    assert "readers.hall.driver: " in done.stderr
    assert "acme" in done.stderr


def test_only_drivers_that_say_so_share_a_port() -> None:
    assert load_driver("actuator", "modbus-relay").shares_port == load_driver("reader", "modbus-reader").shares_port
    assert load_driver("actuator", "lcus1").shares_port == "lcus1"
    assert not load_driver("reader", "rdm6300").shares_port
