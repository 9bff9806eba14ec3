"""The gate: what is still costs no look, and nothing that moves is missed. Noise as a sensor at night has it."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.vision.decoder import LINGER_S
from gateway.vision.motion import MotionGate

WIDTH, HEIGHT, PERIOD_S = 640, 360, 0.2
RNG = np.random.default_rng(7)
STREET = np.asarray(cv2.GaussianBlur(RNG.normal(110, 60, (HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 6), np.float32)
NOISE = [RNG.normal(0, 1, (HEIGHT, WIDTH, 3)).astype(np.float32) for _ in range(5)]
CAR = np.full((60, 90, 3), 30.0, np.float32)  # dark, with a window, a light at each end and a plate
CAR[8:24, 20:70], CAR[34:42, :12], CAR[34:42, -12:], CAR[48:54, 35:55] = 150.0, 240.0, 240.0, 200.0


def picture(
    at: int, *, noise: float = 4.0, light: float = 1.0, car: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    scene = STREET.copy()
    if car is not None:
        scene[car[1] : car[1] + 60, car[0] : car[0] + 90] = CAR
    grain = np.roll(NOISE[at % 5], at * 37, axis=1) * noise
    return np.clip(scene * light + grain, 0, 255).astype(np.uint8)


def moved(gate: MotionGate, pictures: Iterable[NDArray[np.uint8]], begin: float = 1000.0) -> list[bool]:
    return [gate.moves(one, begin + PERIOD_S * at) for at, one in enumerate(pictures)]


@pytest.mark.parametrize(("noise", "light"), [(3.0, 1.0), (12.0, 1.0), (25.0, 1.0), (25.0, 0.25)])
def test_noise_does_not_wake_it(noise: float, light: float) -> None:
    found = moved(MotionGate(), (picture(at, noise=noise, light=light) for at in range(60)))
    assert found[0]  # of the first picture nothing is known
    assert sum(found[5:]) == 0


def test_a_lamp_a_cloud_and_the_camera_s_own_exposure_do_not_wake_it() -> None:
    lights = [1.0] * 15 + [0.7] * 15 + [0.7 + 0.02 * step for step in range(15)]
    found = moved(MotionGate(), (picture(at, light=light) for at, light in enumerate(lights)))
    assert sum(found[5:]) <= 3


@pytest.mark.parametrize(
    ("speed", "noise", "light"), [(2, 4.0, 1.0), (8, 4.0, 1.0), (30, 4.0, 1.0), (8, 20.0, 0.3), (30, 20.0, 0.3)]
)
def test_whatever_drives_by_is_seen_all_the_way(speed: int, noise: float, light: float) -> None:
    """Never is it still for as long as the decoder lingers, also at night before a bad sensor."""
    gate = MotionGate()
    moved(gate, (picture(at, noise=noise, light=light) for at in range(20)))
    steps = min(18, (WIDTH - 90) // speed)
    way = (picture(at, noise=noise, light=light, car=(speed * at, 200)) for at in range(steps))
    found = moved(gate, way, 1004.0)
    linger = round(LINGER_S / PERIOD_S)
    assert found[0]
    assert all(any(found[at : at + linger]) for at in range(len(found) - linger + 1))
    assert light < 1 or all(found)


def test_what_stops_is_still_after_a_while_and_wakes_it_when_it_drives_on() -> None:
    gate = MotionGate()
    moved(gate, (picture(at) for at in range(20)))
    stands = moved(gate, (picture(at, car=(300, 200)) for at in range(60)), 1004.0)
    assert stands[0]
    assert not any(stands[45:])
    assert any(moved(gate, (picture(at, car=(300 + 10 * at, 200)) for at in range(4)), 1016.0))


def test_only_the_region_counts() -> None:
    left = [[0.0, 0.0], [0.4, 0.0], [0.4, 1.0], [0.0, 1.0]]
    gate = MotionGate(left)
    moved(gate, (picture(at) for at in range(20)))
    assert not any(moved(gate, (picture(at, car=(350 + 10 * at, 200)) for at in range(15)), 1004.0))
    assert all(moved(gate, (picture(at, car=(10 + 8 * at, 200)) for at in range(15)), 1010.0))


def test_another_size_of_picture_begins_anew() -> None:
    gate = MotionGate()
    moved(gate, (picture(at) for at in range(10)))
    tall = np.asarray(cv2.resize(picture(11), (480, 640)), np.uint8)
    assert gate.moves(tall, 1010.0)
    assert not gate.moves(tall, 1010.2)
