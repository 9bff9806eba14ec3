"""A roster on a real disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.keys import Keys
from gateway.roster import Roster


@pytest.fixture
def roster(tmp_path: Path) -> Roster:
    return Roster(tmp_path / "roster.db", Keys(tmp_path))
