"""Plates at a gate: what passes, what is denied, what two cameras see of one car."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.clock import now
from gateway.settings import PlateReading
from gateway.types import (
    Direction,
    PlateSeen,
    Shot,
    ShotKind,
)
from tests.doorkeeper.keeping import (
    OWNER,
    POINTS,
    House,
    old,
    plate,
)


def test_a_known_plate_passes_and_opens(house: House) -> None:
    event = house.see(plate())
    assert event.name == "vehicle.passed"
    data = dict(event.data)
    assert data.pop("latency_ms") >= 0
    assert data.pop("holder")["ref"] == OWNER.ref
    assert data == {
        "point": "gate",
        "direction": "both",
        "device": "cam",
        "method": "plate",
        "granted": True,
        "reason": "ok",
        "opened": True,
        "reads": 4,
        "box": [10, 20, 110, 50],
        "capture": None,
        "plate_no": "鄂J12345",
        "raw": "鄂J·12345",
        "plate_class": "02",
        "plate_color": "5",
        "confidence": 0.97,
        "char_confidence": [0.991] * 7,
    }
    assert house.relays["gate-relay"].opened == 1


VEHICLES = [
    (plate("鄂J99999"), "vehicle.denied", "unknown", "plate_no"),
    (plate("鄂J54321"), "vehicle.denied", "expired", "plate_no"),
    (plate(confidence=0.8), "vehicle.uncertain", "uncertain", "candidate"),
]


@pytest.mark.parametrize(("seen", "name", "reason", "field"), VEHICLES)
def test_a_plate_that_may_not_pass_opens_nothing(
    house: House, seen: PlateSeen, name: str, reason: str, field: str
) -> None:
    event = house.see(replace(seen, stamp=now()))
    assert (event.name, event.data["reason"], event.data["opened"]) == (name, reason, False)
    assert seen.plate is not None
    assert event.data[field] == seen.plate.number
    assert len({"plate_no", "candidate"} & event.data.keys()) == 1
    assert house.relays["gate-relay"].opened == 0


def test_a_still_without_a_plate_is_told(house: House) -> None:
    event = house.see(plate(None, source_file="a.jpg", origin="cam/a.jpg", box=None))
    assert (event.name, event.data["source_file"], event.origin) == ("vehicle.no_plate", "a.jpg", "cam/a.jpg")
    assert not {"plate_no", "candidate", "raw"} & event.data.keys()


@pytest.mark.parametrize("house", [PlateReading(permission=False)], indirect=True)
def test_where_no_permission_is_needed_a_read_plate_opens_and_an_unread_one_does_not(house: House) -> None:
    event = house.see(plate("鄂J99999"))
    assert (event.name, event.data["reason"], event.data["opened"]) == ("vehicle.passed", "not_required", True)
    assert house.see(plate("鄂J99998", confidence=0.5)).name == "vehicle.uncertain"
    assert house.relays["gate-relay"].opened == 1


def test_an_emergency_vehicle_opens_whatever_the_confidence(house: House) -> None:
    event = house.see(plate("京X1234应急", confidence=0.4))
    assert (event.name, event.data["opened"], event.data["emergency"]) == ("vehicle.passed", True, True)


def test_a_plate_at_a_door_for_people_is_told_and_opens_nothing(house: House) -> None:
    event = house.see(plate(point="door"))
    assert (event.name, event.data["opened"]) == ("vehicle.passed", False)
    assert house.relays["door-relay"].opened == 0


def test_a_late_plate_is_recorded_and_opens_nothing(house: House) -> None:
    event = house.see(plate(stamp=old(3), source_file="b.jpg", token=7))
    assert (event.name, event.data["granted"], event.data["opened"]) == ("vehicle.passed", True, False)
    assert house.count("late") == 1
    assert house.relays["gate-relay"].opened == 0


def test_a_car_that_two_cameras_of_a_point_see_is_one_passage_with_two_evidences(house: House) -> None:
    first = house.see(plate())
    again = house.see(replace(plate(confidence=0.9), device="rear-cam"))
    assert (first.name, again.name) == ("vehicle.passed", "verify.match")
    assert (again.passage, again.data["device"]) == (first.passage, "rear-cam")
    assert again.data["plate_no"] == "鄂J12345"
    assert (first.data["opened"], again.data["opened"]) == (True, False)
    assert house.relays["gate-relay"].opened == 1
    doubtful = house.see(replace(plate("鄂J12346", confidence=0.5), device="rear-cam"))
    assert (doubtful.name, doubtful.passage, doubtful.data["candidate"]) == ("verify.match", first.passage, "鄂J12346")


def test_another_car_and_the_same_one_later_are_passages_of_their_own(house: House) -> None:
    house.see(plate())
    assert house.see(replace(plate("鄂J12346"), device="rear-cam")).name == "vehicle.denied"
    late = replace(plate(stamp=now()), device="rear-cam")
    late = replace(late, stamp=replace(late.stamp, mono=late.stamp.mono + 31))
    assert house.see(late).name == "vehicle.passed"


def test_what_the_first_camera_saw_too_late_to_open_the_second_opens(house: House) -> None:
    first = house.see(plate(stamp=old(5)))
    again = house.see(replace(plate(), device="rear-cam"))
    assert (first.data["opened"], again.data["opened"]) == (False, True)
    assert (first.name, again.name) == ("vehicle.passed", "verify.match")


def test_pictures_uploaded_from_two_cameras_stay_passages_of_their_own(house: House) -> None:
    names = [
        house.see(replace(plate(), device=device, source_file="a.jpg", token=at)).name
        for at, device in enumerate(("cam", "rear-cam"))
    ]
    assert names == ["vehicle.passed", "vehicle.passed"]


def test_a_car_seen_best_some_seconds_ago_but_still_there_is_let_in(house: House) -> None:
    event = house.see(plate(stamp=old(4), first_seen=old(6), last_seen=now()))
    assert event.data["opened"]
    assert event.data["first_seen_ms"] == pytest.approx(-2000, abs=50)
    assert event.data["last_seen_ms"] == pytest.approx(4000, abs=50)
    assert event.data["latency_ms"] < 2000


def test_the_track_gives_the_direction_where_the_point_goes_both_ways(house: House) -> None:
    assert house.see(plate(direction=Direction.OUT)).data["direction"] == "out"
    assert house.see(plate("鄂J54321")).data["direction"] == "both"
    assert house.see(plate(point="side", direction=Direction.OUT)).data["direction"] == POINTS["side"].direction.value


def test_the_pictures_of_a_car_go_to_the_recorder_with_its_event(house: House) -> None:
    shots = (Shot(ShotKind.PLATE, b"jpeg"),)
    assert house.see(plate(shots=shots)).data["capture"] is None  # nobody knows yet whether they can be kept
    assert house.shots == [shots]
