"""A gateway's objects and a broker for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import Mosquitto
from tests.uplink.parts import House, Wire


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def wire(broker: Mosquitto) -> Iterator[Wire]:
    wire = Wire(broker.port)
    yield wire
    wire.close()
