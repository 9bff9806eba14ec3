"""The house that every test here may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import PlateReading
from tests.doorkeeper.keeping import House


@pytest.fixture
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    built = House(tmp_path, getattr(request, "param", PlateReading()))
    yield built
    built.close()
