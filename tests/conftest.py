"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photographs and vectors beside the project.

    A checkout without it runs every other test; in CI its absence is a failure, never a silent skip.
    """
    if not SHARED.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have the folder {SHARED}")
        pytest.skip(f"no {SHARED}: this test needs the real photographs and vectors")
    return SHARED
