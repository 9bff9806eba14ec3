"""Cards at a door, relays that hang, and what must not be lost at the end."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from drivers.actuators import modbus_relay
from gateway.clock import ClockTrust, now
from gateway.settings import PlateReading
from gateway.types import (
    PictureDone,
)
from tests.doorkeeper.keeping import (
    CARD,
    GONE,
    OWNER,
    House,
    card,
    face,
    old,
    plate,
)
from tests.real import wait_until
from tests.standstill import awake


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
    began = awake()
    event = house.see(card())
    assert awake() - began < 0.25
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
    assert house.events[-1][0].data["latency_ms"] < 800  # 0.5 s once, not eight times
    assert house.count("not_opened") == 8


def test_a_board_that_answers_as_late_as_it_may_has_opened(house: House) -> None:
    """Its door is open all the while: an event that says otherwise would be wrong."""
    relay = house.relays["gate-relay"]
    relay.stuck.set()
    threading.Timer(modbus_relay._REPLY_S, relay.stuck.clear).start()
    assert house.see(card(point="gate")).data["opened"] is True


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
