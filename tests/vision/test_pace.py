"""A box too slow for its cameras lowers all of them by the same share."""

from __future__ import annotations

import pytest

from gateway.vision.pace import Pace, share


def looked(fps: float, seconds: float, at: float = 100.0) -> Pace:
    pace = Pace(fps)
    for _ in range(20):
        pace.looked(at, seconds)
    return pace


def test_where_there_is_time_each_has_its_full_rate() -> None:
    assert share([looked(5, 0.05), looked(5, 0.05)], 100.5) == 1.0
    assert share([], 0.0) == 1.0


def test_where_there_is_not_the_looks_fit_into_nine_tenths_of_a_processor() -> None:
    cameras = {10.0: 0.2, 5.0: 0.1, 2.0: 0.4}
    part = share([looked(fps, seconds) for fps, seconds in cameras.items()], 100.5)
    assert sum(part * fps * seconds for fps, seconds in cameras.items()) == pytest.approx(0.9)


def test_a_camera_at_rest_needs_nothing() -> None:
    busy, rests = looked(5, 0.3, at=100.0), looked(5, 0.3, at=50.0)
    assert share([busy, rests], 100.5) == pytest.approx(0.9 / 1.5)
