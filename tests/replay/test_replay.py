"""Fifty seconds before a gate, from real photographs: each car is told once, the empty street never.

The cars are those that by themselves are read right, with no other plate beside: tracks, votes and rules are on trial
here, not the models. `python -m tests.replay` plays ten minutes with whatever photographs there are.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.vision.looks import build
from tests.replay.__main__ import prepare
from tests.replay.count import lines, tally
from tests.replay.film import BORN, play, settings

pytestmark = pytest.mark.shared

SECONDS, SEED = 50.0, 4


def test_each_car_of_a_short_film_is_told_once_and_nothing_else(tmp_path: Path, shared: Path) -> None:
    script, street = prepare(shared, SECONDS, SEED, readable=True)
    assert {"drives through", "stops", "two in a row"} <= {passage.kind for passage in script.passages}
    given = settings(tmp_path)
    played = play(script, street, build("plate", given), given)
    found = tally(script, played.seen, BORN)
    said = "\n".join(lines(found, given.plate.threshold))
    assert all(fate.once for fate in found.fates), said
    assert not found.false, said
    assert sum(fate.right(given.plate.threshold) for fate in found.fates) >= len(found.fates) - 1, said
