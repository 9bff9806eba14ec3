"""A broker, a gateway whose clock is right, and a platform, over MQTT 5 and over 3.1.1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.downlink.parts import Gateway, Platform
from tests.real import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def platform(broker: Mosquitto) -> Iterator[Platform]:
    one = Platform(broker.port)
    yield one
    one.close()


@pytest.fixture
def gateway(tmp_path: Path, broker: Mosquitto) -> Iterator[Gateway]:
    with Gateway(tmp_path, broker.port).running() as running:
        yield running
