"""A door that refuses somebody, and staff who let them in: a check beside the decision, which waits for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.doorkeeper.keeping import GUARD, House, card, old, plate
from tests.real import wait_until


@contextmanager
def a_deaf_inspection(house: House) -> Iterator[None]:
    """Somebody else holds its lock."""
    with house.inspection._lock:
        yield


def test_a_guard_lets_in_whom_the_lodge_does_not_know(house: House) -> None:
    refused = house.see(card("w26:9-1", "lodge"))
    house.see(plate("沪B30527", point="lodge"))
    wait_until(lambda: house.names().count("check.required") == 2)
    assert house.relays["lodge-relay"].opened == 0
    house.see(card("w26:1-4", "lodge"))
    wait_until(lambda: house.names().count("check.result") == 2)
    assert house.relays["lodge-relay"].opened == 1
    assert house.names() == [
        *("access.denied", "check.required"),
        *("vehicle.denied", "check.required"),
        *("access.granted", "check.result", "check.result"),
    ]
    required, result = house.events[1][0], house.events[5][0]
    assert required.passage == result.passage == refused.passage
    assert result.data["check"] == required.id
    assert result.data["holder"]["ref"] == GUARD.ref


def test_an_owner_admits_nobody_and_a_door_that_does_not_ask_goes_on_as_before(house: House) -> None:
    house.see(card("w26:9-1", "lodge"))
    house.see(card(point="lodge"))
    house.see(card("w26:9-1", "door"))
    house.see(plate("沪B30527"))
    house.close()
    assert house.names() == ["access.denied", "check.required", "access.granted", "access.denied", "vehicle.denied"]


def test_a_second_camera_and_a_picture_from_long_ago_ask_for_nothing_more(house: House) -> None:
    house.see(plate("沪B30527", point="lodge"))
    house.see(replace(plate("沪B30527", point="lodge"), device="rear-cam"))
    house.see(plate("沪B99999", point="lodge", stamp=old(7200)))
    house.see(plate(None, point="lodge", source_file="1.jpg"))
    house.see(plate(None, point="lodge", source_file="2.jpg"))
    house.close()
    assert house.names() == [
        *("vehicle.denied", "check.required", "verify.match", "vehicle.denied"),
        *("vehicle.no_plate", "check.required") * 2,  # each file is a car of its own
    ]


def test_the_door_is_open_before_anybody_looks_at_checks(house: House) -> None:
    """Whatever holds the checks up, the decision and the relay were first."""
    with a_deaf_inspection(house):
        house.keeper.submit(card("w26:1-4", "lodge"))
        wait_until(lambda: house.relays["lodge-relay"].opened == 1)
        wait_until(lambda: house.names() == ["access.granted"])
