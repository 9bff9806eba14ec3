"""What every registered pushing reader promises on a real tty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.contracts import Reader
from gateway.errors import DeviceLost
from gateway.registry import load_driver, names
from tests.readers.vectors import VECTORS, Vector
from tests.standstill import awake
from tests.wire import Tty, cards, faults, read_for

SAMPLES = {vector.driver: vector for vector in VECTORS if vector.cards and vector.driver not in ("pn532", "yhy")}
EVERY = pytest.mark.parametrize("vector", SAMPLES.values(), ids=lambda vector: vector.driver)


@pytest.fixture
def device() -> Iterator[Tty]:
    with Tty() as device:
        yield device


def opened(vector: Vector, device: Tty) -> Reader:
    driver = load_driver("reader", vector.driver)
    reader: Reader = driver.connect(driver.Options.model_validate({"port": device.path, **vector.options}))
    return reader


def test_every_pushing_reader_has_a_published_frame() -> None:
    assert set(SAMPLES) <= set(names("reader"))
    assert set(SAMPLES) == {"rdm6300", "em18", "stxlen", "wiegand", "line"}


@EVERY
def test_a_card_is_read(vector: Vector, device: Tty) -> None:
    reader = opened(vector, device)
    device.send(vector.wire)
    assert cards(read_for(reader, 0.3)) == vector.cards
    reader.close()


@EVERY
def test_a_card_shown_before_opening_opens_nothing(vector: Vector, device: Tty) -> None:
    device.send(vector.wire)
    reader = opened(vector, device)
    assert read_for(reader, 0.3) == []
    reader.close()


@EVERY
def test_two_halves_with_a_pause_are_no_card(vector: Vector, device: Tty) -> None:
    reader = opened(vector, device)
    device.send(vector.wire[:6])
    results = [*read_for(reader, 0.25)]
    device.send(vector.wire[6:])
    results += read_for(reader, 0.25)
    assert vector.cards[0] not in cards(results)
    assert faults(results)
    reader.close()


@EVERY
def test_an_unplugged_reader_is_lost_within_a_second(vector: Vector, device: Tty) -> None:
    reader = opened(vector, device)
    device.unplug()
    start = awake()
    with pytest.raises(DeviceLost) as caught:
        read_for(reader, 30)
    assert awake() - start < 1.0
    assert str(caught.value.hint)
    reader.close()
    reader.close()


@EVERY
def test_a_wrong_baud_rate_is_told_as_noise_or_as_bad_frames(vector: Vector, device: Tty) -> None:
    reader = opened(vector, device)
    device.send(b"\xfe\x80\x98\xe0\x00\xf8")
    results = read_for(reader, 0.3)
    assert cards(results) == []
    assert len(faults(results)) == 1
    reader.close()
