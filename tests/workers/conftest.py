"""A board for each worker."""

from __future__ import annotations

import pytest

from gateway.board import Board


@pytest.fixture
def board() -> Board:
    return Board()
