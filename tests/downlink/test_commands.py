"""What each command does, and why it may refuse."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.accounts import Outcome, plate_event
from gateway.clock import now
from gateway.downlink.pictures import Pictures
from gateway.ids import new_id
from gateway.settings import Captures
from gateway.settings import Uplink as UplinkOptions
from gateway.types import Box, Decision, Plate, PlateSeen, Reason, ShotKind, Verdict
from gateway.vision.shots import take
from tests.downlink.parts import CARD, EVERYTHING, Gateway, Platform
from tests.facts import BOOT, event
from tests.real import Mosquitto, wait_until


@pytest.mark.parametrize(
    ("command", "args", "code"),
    [
        ("door.open", {"point": "nowhere"}, "unknown_point"),
        ("door.open", {"point": "gate"}, "wrong_kind"),
        ("barrier.open", {"point": "door"}, "wrong_kind"),
        ("door.open", {"point": "side"}, "no_actuator"),
        ("door.open", {"point": "door", "seconds": 600}, "bad_request"),
        ("door.open", {}, "bad_request"),
        ("door.open", {"point": 1}, "bad_request"),
        ("door.ajar", {"point": "door"}, "unknown_command"),
        ("capture.get", {"capture": "c-1"}, "unsupported"),
        ("notice.show", {"text": "hello"}, "unsupported"),
        ("roster.sync", {"dataset": "cars"}, "unknown_dataset"),
        ("credential.revoke", {}, "bad_request"),
        ("credential.revoke", {"credential_ref": CARD}, "bad_request"),
        ("credential.revoke", {"credential_ref": "c:0123456789abcdef"}, "unknown_holder"),
        ("person.erase", {"holder_ref": "h:0123456789abcdef"}, "unknown_holder"),
        ("event.resend", {"from": 5, "to": 4}, "bad_request"),
        ("event.resend", {"from": 1, "to": 2_000_000}, "bad_request"),
        ("event.resend", {"from": "1", "to": "2"}, "bad_request"),
    ],
)
def test_what_cannot_be_done_is_refused_with_code_and_words(
    gateway: Gateway, platform: Platform, command: str, args: dict[str, Any], code: str
) -> None:
    reply = platform.order(command, **args)
    assert (reply["ok"], reply["code"]) == (False, code)
    assert reply["message"]
    assert not any(relay.opened for relay in gateway.relays.values())
    wait_until(lambda: [audit["code"] for audit in gateway.audits()] == [code])


def test_a_barrier_opens_and_says_manual_release(gateway: Gateway, platform: Platform) -> None:
    assert platform.order("barrier.open", point="gate")["ok"] is True
    assert (gateway.relays["gate-relay"].opened, gateway.relays["door-relay"].opened) == (1, 0)
    wait_until(lambda: platform.events("vehicle.manual_release"))
    assert platform.events("vehicle.manual_release")[0]["data"]["method_code"] == "100302"


def test_who_waits_at_a_point_is_admitted_by_the_platform_that_opens_it(gateway: Gateway, platform: Platform) -> None:
    seen = PlateSeen("gate", "cam", now(), Plate("沪B30527", "沪B30527", "02", "5", 0.97, (0.99,) * 7), 4)
    outcome = Outcome(Decision(Verdict.DENY, Reason.UNKNOWN), opened=False, latency_ms=3, passage=new_id())
    gateway.inspection.record(plate_event(seen, gateway.settings.points["gate"], outcome))
    wait_until(lambda: platform.events("check.required"))
    (required,) = platform.events("check.required")
    assert required["passage"] == outcome.passage
    assert required["data"]["plate_no"] == "沪B30527"
    assert platform.order("barrier.open", "x1", point="door")["ok"] is False
    gateway.relays["gate-relay"].is_lost = True
    assert platform.order("barrier.open", point="gate")["code"] == "device_offline"
    assert not platform.events("check.result")  # nothing was opened
    gateway.relays["gate-relay"].is_lost = False
    wait_until(lambda: platform.order("barrier.open", point="gate")["ok"])
    wait_until(lambda: platform.events("check.result"))
    (result,), (opened,) = platform.events("check.result"), platform.events("vehicle.manual_release")
    assert result["data"] == {
        **{"point": "gate", "check": required["id"], "outcome": "admitted", "by": "command", "ordered_by": "city"},
        "request_id": opened["data"]["request_id"],
    }
    assert result["passage"] == outcome.passage
    assert result["sequence"] > opened["sequence"]


def test_a_relay_that_is_away_is_said_and_never_opens_later(gateway: Gateway, platform: Platform) -> None:
    relay = gateway.relays["door-relay"]
    relay.is_lost = True
    reply = platform.order("door.open", "a1", point="door")
    assert (reply["ok"], reply["code"]) == (False, "device_offline")
    relay.is_lost = False
    wait_until(lambda: platform.order("door.open", point="door")["ok"])
    assert relay.opened == 1
    wait_until(lambda: gateway.journal.history(glob="access.remote_open"))
    assert len(gateway.journal.history(glob="access.remote_open")) == 1


def test_ping_and_the_version_of_the_roster(gateway: Gateway, platform: Platform) -> None:
    assert platform.order("ping")["result"].keys() == {"version", "boot_id", "uptime_ms", "last_seq"}
    wait_until(gateway.who_has)
    assert platform.order("roster.sync")["result"] == {"dataset": "holders", "version": 0, "holders": 2}


def test_config_get_shows_no_secret(tmp_path: Path, broker: Mosquitto, platform: Platform) -> None:
    gateway = Gateway(tmp_path, broker.port)
    secret = UplinkOptions(host="police.example", username="agent", password_file=tmp_path / "pw", ca_file=tmp_path)
    camera = {
        "driver": "rtsp",
        "point": "gate",
        "url": "rtsp://admin:hunter2@10.0.0.1/1",
        "username": "admin",
        "password": "hunter2",
    }
    table = {**gateway.settings.model_dump(), "cameras": {"cam": camera}}
    settings = type(gateway.settings).model_validate(table)
    settings.uplinks["police"] = secret
    gateway.settings = settings  # as after a reload
    with gateway.running():
        reply = platform.order("config.get")
    text = json.dumps(reply)
    for word in ("hunter2", "admin", "agent", "police", "data_dir", str(tmp_path), "password"):
        assert word not in text
    assert reply["result"]["points"]["door"]["actuator"] == "door-relay"
    assert reply["result"]["cameras"].keys() == {"cam"}
    assert reply["result"]["uplinks"].keys() == {"city"}
    assert reply["result"]["commands"]["allow"] == EVERYTHING


@pytest.mark.parametrize("by", ["card", "part of the card", "holder"])
def test_a_lost_card_is_refused_within_a_second(gateway: Gateway, platform: Platform, by: str) -> None:
    """Also by the reference that a reader made which sends three of its five bytes."""
    from gateway.credentials import parse_credential

    written = {"card": CARD, "part of the card": "w26:8-27885"}
    if by == "holder":
        args = {"holder_ref": gateway.roster.ref("r-0502")}
    else:
        args = {"credential_ref": gateway.keys.credential_ref(parse_credential(written[by]))}
    wait_until(lambda: gateway.who_has() == "active")
    reply = platform.order("credential.revoke", **args)
    assert reply["ok"] is True
    wait_until(lambda: gateway.who_has() == "lost")
    assert gateway.who_has("w26:8-27886") == "active"  # the neighbour's
    wait_until(gateway.audits)
    assert gateway.audits()[0]["holder"] == {"ref": gateway.roster.ref("r-0502")}
    assert "62E3086CED" not in json.dumps(gateway.audits()) + str([message.payload for message in platform.messages])


def test_an_erased_person_leaves_roster_and_faces(gateway: Gateway, platform: Platform) -> None:
    gateway.enrol("r-0502")
    gateway.enrol("r-0601")
    reply = platform.order("person.erase", holder_ref=gateway.roster.ref("r-0502"))
    assert (reply["ok"], reply["result"]) == (True, {"erased": 1})
    assert [row.holder_id for row in gateway.roster.list()] == ["r-0601"]
    assert gateway.people_with_faces() == 1
    wait_until(lambda: gateway.who_has() is None)
    wait_until(lambda: gateway.journal.history(glob="audit.face_erased") and gateway.audits())
    assert gateway.audits()[0]["erased"] == 1
    left = b"".join(path.read_bytes() for path in gateway.data.glob("*roster*"))
    assert b"r-0502" not in left


def test_a_face_without_a_holder_is_erased_as_well(gateway: Gateway, platform: Platform) -> None:
    gateway.enrol("gone")
    assert platform.order("person.erase", holder_ref=gateway.roster.ref("gone"))["ok"] is True
    assert gateway.people_with_faces() == 0


def test_events_are_sent_again_as_they_were(gateway: Gateway, platform: Platform) -> None:
    gateway.journal.append([event(n, "alarm.tamper" if n == 3 else "access.granted") for n in range(10)], BOOT)
    wait_until(lambda: len(platform.events("access.granted")) == 9)
    wait_until(lambda: len(platform.events("alarm")) == 1)
    first = {found["sequence"]: found for found in platform.events("")}
    reply = platform.order("event.resend", **{"from": 3, "to": 6})
    assert reply["result"] == {"from": 3, "to": 6, "count": 4}
    wait_until(lambda: len(platform.events("access.granted")) + len(platform.events("alarm")) == 14)
    again = [found for found in platform.events("") if found["replay"] and found["sequence"] <= 10]
    assert [found["sequence"] for found in again] == [3, 4, 5, 6]
    assert all({**found, "replay": False} == first[found["sequence"]] for found in again)
    assert platform.order("event.resend", **{"from": 900, "to": 950})["result"]["count"] == 0


def test_a_picture_is_fetched_by_who_may_and_by_nobody_else(gateway: Gateway, platform: Platform) -> None:
    shot = next(iter(take(np.full((90, 240, 3), 80, np.uint8), Box(20, 20, 200, 70), {ShotKind.PLATE})))
    happened = event(1, "vehicle.passed")
    gateway.captures.keep(happened, [shot])
    policy = {"plate": True, "uplinks": ["city"]}
    fields: dict[str, Any]
    for captures, fields, code in (
        ({}, {}, "unsupported"),
        ({"plate": True}, {}, "not_allowed"),
        (policy, {"plate_no": "hash"}, "not_allowed"),
        (policy, {}, "done"),
    ):
        city = gateway.settings.uplinks["city"].model_copy(update={"fields": fields})
        given = gateway.settings.model_copy(
            update={"captures": Captures.model_validate(captures), "uplinks": {"city": city}}
        )
        gateway.downlink._deeds = replace(gateway.downlink._deeds, pictures=Pictures(gateway.captures, given))
        reply = platform.order("capture.get", capture=happened.id)
        assert reply["code"] == code
    result = reply["result"]
    assert base64.b64decode(result.pop("data")) == shot.jpeg
    assert result == {
        "capture": happened.id,
        "kind": "plate",
        "kinds": ["plate"],
        "content_type": "image/jpeg",
        "size": len(shot.jpeg),
    }
    assert platform.order("capture.get", capture=happened.id, kind="scene")["code"] == "unsupported"
    assert platform.order("capture.get", capture="../keys/face")["code"] == "unknown_capture"
    wait_until(lambda: len(gateway.audits()) == 6)
    assert gateway.audits()[-1]["capture"] == "?"
