"""The doorkeeper at work: real relays' workers, a real register, and the events that come out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.board import Board
from gateway.clock import ClockTrust, Stamp, now
from gateway.credentials import parse_credential
from gateway.doorkeeper import Doorkeeper
from gateway.errors import DeviceLost
from gateway.keys import Keys
from gateway.passage import Passages
from gateway.register import Register
from gateway.settings import PlateReading, Point, Position
from gateway.types import (
    Box,
    CardRead,
    Direction,
    Event,
    FaceSeen,
    Holder,
    Observation,
    PictureDone,
    Plate,
    PlateSeen,
    PointKind,
    Shot,
    ShotKind,
)
from gateway.worker import ActuatorWorker
from tests.real import wait_until

ZONE = ZoneInfo("Asia/Shanghai")
CARD = parse_credential("em4100:62E3086CED")
OWNER = Holder("r-1", "h:0123456789abcdef", "张三", "resident", "owner", "3-1-0502", None)
GONE = Holder("r-2", "h:fedcba9876543210", "李四", "resident", "tenant", "3-1-0503", None, None, date(2020, 1, 1))
NEW = Holder("r-3", "h:00112233445566ff", "王五", "resident", "owner", "3-1-0504", None, date(2026, 1, 1))
POINTS = {
    "door": Point(name="东门", kind=PointKind.PEDESTRIAN, direction=Direction.IN, actuator="door-relay", open_s=0.2),
    "side": Point(name="侧门", kind=PointKind.PEDESTRIAN, direction=Direction.OUT, actuator="side-relay", open_s=0.2),
    "gate": Point(
        name="车行门",
        kind=PointKind.VEHICLE,
        direction=Direction.BOTH,
        actuator="gate-relay",
        open_s=0.2,
        position=Position(lon=114.8, lat=30.4),
    ),
    "bare": Point(name="无继电器", kind=PointKind.MIXED, direction=Direction.IN),
}
REGISTER = Register(
    [OWNER, GONE, NEW],
    [(CARD, "r-1"), (parse_credential("w26:1-2"), "r-2"), (parse_credential("w26:1-3"), "r-3")],
    [("鄂J12345", "r-1"), ("鄂J54321", "r-2")],
    as_of=date(2026, 1, 1),
)


class Relay:
    """An actuator that notes when it was switched; `stuck` makes it hang as a dead serial line does."""

    def __init__(self) -> None:
        self.switched: list[tuple[bool, float]] = []
        self.stuck = threading.Event()
        self.gone = False

    def switch(self, on: bool) -> None:
        if self.gone:
            raise DeviceLost("unplugged")
        deadline = time.monotonic() + 2
        while on and self.stuck.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.switched.append((on, time.monotonic()))

    def close(self) -> None:
        return None

    @property
    def opened(self) -> int:
        return sum(on for on, _ in self.switched)


class House:
    """A doorkeeper with its relays, running; `events` and `settled` are what came out."""

    def __init__(self, folder: Path, plate: PlateReading) -> None:
        self.stop = threading.Event()
        self.board = Board()
        self.keys = Keys(folder)
        self.relays = {name: Relay() for name in ("door-relay", "side-relay", "gate-relay")}
        self.events: list[tuple[Event, float]] = []
        self.shots: list[Sequence[Shot]] = []
        self.kept: list[Callable[[], None]] = []
        self.settled: list[tuple[str, int]] = []
        workers = {name: ActuatorWorker(name, None, self._connect(name), self.board) for name in self.relays}
        self.keeper = Doorkeeper(
            points=POINTS,
            register=lambda: REGISTER,
            actuators=workers,
            record=self._record,
            passages=Passages(),
            plate=plate,
            face_opens=("side",),
            keys=self.keys,
            zone=ZONE,
            board=self.board,
            settle=lambda device, token: self.settled.append((device, token)),
        )
        parts = [*workers.values(), self.keeper]
        self._threads = [threading.Thread(target=part.run, args=(self.stop,), daemon=True) for part in parts]
        for thread in self._threads:
            thread.start()
        wait_until(lambda: sum(state.status.value == "online" for state in self.board.devices()) == len(self.relays))

    def _connect(self, name: str) -> Callable[[], Relay]:
        def connect() -> Relay:
            if self.relays[name].gone:
                raise DeviceLost("unplugged")
            return self.relays[name]

        return connect

    def _record(self, event: Event, then: Callable[[], None] | None = None, shots: Sequence[Shot] = ()) -> None:
        self.events.append((event, time.monotonic()))
        self.shots.append(shots)
        if then:
            self.kept.append(then)

    def names(self) -> list[str]:
        return [event.name for event, _ in self.events]

    def see(self, observation: Observation | PictureDone) -> Event:
        """Submit and wait for its first event."""
        before = len(self.events)
        assert self.keeper.submit(observation)
        wait_until(lambda: len(self.events) > before)
        return self.events[before][0]

    def count(self, what: str) -> int:
        return self.board.counters().get(f"doorkeeper.{what}", 0)

    def close(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()


@pytest.fixture
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    built = House(tmp_path, getattr(request, "param", PlateReading()))
    yield built
    built.close()


def card(written: str = "em4100:62E3086CED", point: str = "door", stamp: Stamp | None = None) -> CardRead:
    return CardRead(point, f"{point}-reader", stamp or now(), parse_credential(written))


def plate(number: str | None = "鄂J12345", confidence: float = 0.97, point: str = "gate", **more: Any) -> PlateSeen:
    read = Plate(number, f"{number[:2]}·{number[2:]}", "02", "5", confidence, (0.991,) * 7) if number else None
    given = {"stamp": now(), "reads": 4, "box": Box(10.4, 20, 110, 50), **more}
    return PlateSeen(point, "cam", plate=read, **given)


def face(subject: str = OWNER.ref, point: str = "door", assurance: str = "low", **more: Any) -> FaceSeen:
    return FaceSeen(point, "cam", now(), subject, 0.81234, 0.6, 30, assurance, "none", **more)


def old(seconds: float) -> Stamp:
    stamp = now()
    return replace(stamp, time=stamp.time - timedelta(seconds=seconds), mono=stamp.mono - seconds)


def test_a_grant_opens_first_and_is_told_as_the_contract_says(house: House) -> None:
    event = house.see(card())
    assert (event.name, event.subject) == ("access.granted", "door")
    latency = event.data["latency_ms"]
    assert 0 <= latency < 2000
    assert event.data == {
        "point": "door",
        "direction": "in",
        "device": "door-reader",
        "method": "card",
        "method_code": "100101",
        "granted": True,
        "reason": "ok",
        "opened": True,
        "latency_ms": latency,
        "holder": {"id": "r-1", "ref": OWNER.ref, "kind": "resident", "category": "owner", "room": "3-1-0502"},
        "credential_ref": house.keys.credential_ref(CARD),
    }
    ((_, told),) = house.events
    opened = [at for on, at in house.relays["door-relay"].switched if on]
    assert len(opened) == 1
    assert opened[0] <= told
    wait_until(lambda: house.relays["door-relay"].switched[-1][0] is False, what="the relay goes off again")
    assert house.relays["gate-relay"].opened == 0


def test_a_denied_card_opens_nothing_and_names_no_unknown(house: House) -> None:
    unknown = house.see(card("em4100:0000000001"))
    assert (unknown.name, unknown.data["reason"], unknown.data["opened"]) == ("access.denied", "unknown", False)
    assert "holder" not in unknown.data
    expired = house.see(card("w26:1-2", point="side"))
    assert (expired.data["reason"], expired.data["direction"]) == ("expired", "out")
    assert expired.data["holder"]["ref"] == GONE.ref
    assert sum(relay.opened for relay in house.relays.values()) == 0
    text = repr([event.data for event, _ in house.events])
    assert "0000000001" not in text


def test_the_last_valid_day_ends_at_midnight_of_the_site(house: House) -> None:
    stamp = replace(
        now(), trust=ClockTrust.SYNCED, time=datetime(2019, 12, 31, 20, 0, tzinfo=UTC)
    )  # 04:00 of 1 January 2020 in Shanghai
    assert house.see(card("w26:1-2", stamp=stamp)).data["reason"] == "ok"
    late = replace(now(), trust=ClockTrust.SYNCED, time=datetime(2020, 1, 1, 16, 0, tzinfo=UTC))
    assert house.see(card("w26:1-2", stamp=late)).data["reason"] == "expired"


def test_a_box_without_a_clock_is_as_late_as_its_roster(house: House) -> None:
    unset = replace(now(), time=datetime(1970, 1, 1, tzinfo=UTC), trust=ClockTrust.UNSYNCED)
    assert house.see(card("w26:1-3", stamp=unset)).data["reason"] == "ok"  # valid from 2026 on
    wrong = replace(now(), time=datetime(1970, 1, 1, tzinfo=UTC), trust=ClockTrust.SYNCED)
    assert house.see(card("w26:1-3", stamp=wrong)).data["reason"] == "not_yet"


def test_a_point_without_an_actuator_grants_and_opens_nothing(house: House) -> None:
    event = house.see(card(point="bare"))
    assert (event.data["granted"], event.data["opened"]) == (True, False)


def test_a_stale_card_is_told_and_opens_nothing(house: House) -> None:
    """Who was here more than two seconds ago may have gone; that they were here is an event all the same."""
    event = house.see(card(stamp=old(2.1)))
    assert (event.name, event.data["granted"], event.data["opened"]) == ("access.granted", True, False)
    assert event.data["latency_ms"] >= 2100
    assert house.count("late") == 1
    house.keeper.submit(replace(card(), point="nowhere"))
    wait_until(lambda: house.count("no_point"))
    assert house.relays["door-relay"].opened == 0


def test_an_offline_actuator_is_told_at_once(house: House) -> None:
    house.relays["door-relay"].gone = True
    house.see(card())  # this order finds out
    wait_until(
        lambda: any(state.name == "door-relay" and state.status.value != "online" for state in house.board.devices())
    )
    began = time.monotonic()
    event = house.see(card())
    assert time.monotonic() - began < 0.25
    assert (event.data["granted"], event.data["opened"]) == (True, False)


def test_a_dead_actuator_holds_up_the_others_once_and_briefly(house: House) -> None:
    house.relays["gate-relay"].stuck.set()
    for _ in range(8):
        house.keeper.submit(card(point="gate"))
    last = card(point="side")
    house.keeper.submit(last)
    wait_until(lambda: len(house.events) == 9)
    house.relays["gate-relay"].stuck.clear()
    assert [event.data["opened"] for event, _ in house.events] == [False] * 8 + [True]
    assert house.events[-1][0].data["latency_ms"] < 800  # 0.3 s once, not eight times
    assert house.count("not_opened") == 8


def test_an_actuator_that_answers_again_is_trusted_again(house: House) -> None:
    relay = house.relays["gate-relay"]
    relay.stuck.set()
    assert house.see(card(point="gate")).data["opened"] is False
    relay.stuck.clear()
    wait_until(lambda: relay.opened == 1)
    assert house.see(card(point="gate")).data["opened"] is True


def test_five_unknown_cards_raise_an_alarm_with_its_place(house: House) -> None:
    for number in range(5):
        house.keeper.submit(card(f"em4100:{number:010X}", point="gate"))
    wait_until(lambda: len(house.events) == 6)
    alarm = house.events[-1][0]
    assert (alarm.name, alarm.subject) == ("alarm.credential_attack", "gate")
    assert (alarm.data["state"], alarm.data["tries"], alarm.data["point"]) == ("raised", 5, "gate")
    assert alarm.data["position"] == {"lon": 114.8, "lat": 30.4, "coord_sys": "CGCS2000"}


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


@pytest.mark.parametrize("assurance", ["low", "medium", "high"])
def test_a_face_is_evidence_and_opens_nothing(house: House, assurance: str) -> None:
    granted = house.see(card())
    event = house.see(face(assurance=assurance))
    data = dict(event.data)
    data.pop("latency_ms")
    assert event.name == "access.recognised"
    assert data.pop("holder")["ref"] == OWNER.ref
    assert data == {
        "point": "door",
        "direction": "in",
        "device": "cam",
        "method": "face",
        "method_code": "100201",
        "granted": False,
        "reason": "low_assurance",
        "opened": False,
        "similarity": 0.8123,
        "threshold": 0.6,
        "gallery_size": 30,
        "assurance": assurance,
        "liveness": "none",
        "reads": 1,
    }
    assert event.passage == granted.passage
    assert house.relays["door-relay"].opened == 1  # the card's


@pytest.mark.parametrize(
    ("point", "assurance", "liveness", "opened"),
    [
        ("side", "high", "passive:net:0.98", 1),  # a face opens here by itself
        ("side", "high", "none", 0),
        ("side", "medium", "passive:net:0.98", 0),
        ("door", "high", "passive:net:0.98", 0),  # the configuration does not say so
    ],
)
def test_a_face_opens_alone_only_where_everything_speaks_for_it(
    house: House, point: str, assurance: str, liveness: str, opened: int
) -> None:
    event = house.see(replace(face(point=point, assurance=assurance), liveness=liveness))
    assert event.name == ("access.granted" if opened else "access.recognised")
    assert event.data["opened"] is bool(opened)
    assert house.relays[f"{point}-relay"].opened == opened


def test_a_face_confirms_the_card_of_the_same_passage(house: House) -> None:
    granted = house.see(card())
    house.see(face())
    wait_until(lambda: house.names() == ["access.granted", "access.recognised", "verify.match"])
    match = house.events[-1][0]
    assert (match.passage, match.subject, match.stamp) == (granted.passage, "door", granted.stamp)
    assert match.data["holder"]["ref"] == OWNER.ref
    assert (match.data["device"], match.data["camera"], match.data["similarity"]) == (
        granted.data["device"],
        "cam",
        0.8123,
    )
    assert match.data["credential_ref"] == granted.data["credential_ref"]


def test_a_face_whose_holder_left_is_no_event(house: House) -> None:
    house.keeper.submit(face("h:0000000000000000", token=3))
    wait_until(lambda: house.settled == [("cam", 3)])
    assert house.count("face_without_holder") == 1
    assert not house.events


def test_a_picture_is_settled_only_when_its_event_is_kept(house: House) -> None:
    house.see(plate(source_file="a.jpg", token=1, origin="cam/a.jpg#0"))
    house.see(face(source_file="b.jpg", token=2, origin="cam/b.jpg#0"))
    fault = house.see(PictureDone("gate", "cam", now(), "c.jpg", 3, "no JPEG", origin="cam/c.jpg"))
    house.keeper.submit(PictureDone("gate", "cam", now(), "d.jpg", 4))
    wait_until(lambda: house.settled == [("cam", 4)], what="nothing to keep: settled at once")
    assert [event.origin for event, _ in house.events] == ["cam/a.jpg#0", "cam/b.jpg#0", "cam/c.jpg"]
    assert (fault.name, fault.subject, fault.data["source_file"], fault.data["detail"]) == (
        "device.fault",
        "cam",
        "c.jpg",
        "no JPEG",
    )
    for then in house.kept:
        then()
    assert house.settled == [("cam", 4), ("cam", 1), ("cam", 2), ("cam", 3)]


def test_when_it_ends_it_judges_what_waits_and_takes_no_more(tmp_path: Path) -> None:
    house = House(tmp_path, PlateReading())
    reads = [card(point="bare") for _ in range(50)]
    for read in reads:
        house.keeper.submit(read)
    house.close()
    assert house.names() == ["access.granted"] * 50
    assert house.keeper.submit(card()) is False
    assert "doorkeeper" not in house.board.beats()


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
    assert "capture" not in house.see(plate(shots=shots)).data  # nobody knows yet whether they can be kept
    assert house.shots == [shots]
