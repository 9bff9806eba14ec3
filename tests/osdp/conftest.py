"""The key that readers and gateway share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.osdp.bus import KEY


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "reader.key"
    path.write_text(f"{KEY}\n", encoding="ascii")
    return path
