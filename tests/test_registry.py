"""Drivers by name."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.errors import DeviceLost, Rejected
from gateway.registry import Kind, load_driver, names

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


def test_only_drivers_that_say_so_share_a_port() -> None:
    assert load_driver("actuator", "modbus-relay").shares_port == load_driver("reader", "modbus-reader").shares_port
    assert load_driver("actuator", "lcus1").shares_port == "lcus1"
    assert not load_driver("reader", "rdm6300").shares_port
