"""Lines of one test alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.osdp import share
from tests.osdp.bus import KEY, Bus


@pytest.fixture(autouse=True)
def no_lines_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a closed pseudo-terminal is soon that of another one."""
    monkeypatch.setattr(share, "_lines", {})


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "reader.key"
    path.write_text(f"{KEY}\n", encoding="ascii")
    return path


@pytest.fixture
def bus() -> Iterator[Bus]:
    with Bus() as bus:
        yield bus
