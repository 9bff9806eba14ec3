"""A serial line and a broker for a house."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import SerialLine
from tests.real import Mosquitto


@pytest.fixture
def line() -> Iterator[SerialLine]:
    wire = SerialLine()
    yield wire
    wire.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running
