"""Promise 5, rule by rule, through a real broker."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.clock import ClockTrust
from tests.downlink.parts import PREFIX, Gateway, Platform, soon
from tests.real import Mosquitto, wait_until
from tests.standstill import awake
from tests.uplink.parts import Wire


def test_a_door_opens_within_two_seconds_over_both_protocols(tmp_path: Path, broker: Mosquitto, protocol: str) -> None:
    platform = Platform(broker.port, protocol)
    with Gateway(tmp_path, broker.port, protocol).running() as gateway:
        began = awake()
        reply = platform.order("door.open", "a1", point="door")
        assert awake() - began < 2.0
        assert (reply["ok"], reply["code"], reply["request_id"], reply["command"]) == (True, "done", "a1", "door.open")
        assert reply["result"] == {"point": "door", "opened": True, "open_s": 0.2}
        assert gateway.relays["door-relay"].opened == 1
        wait_until(lambda: platform.events("access.remote_open"))
        (event,) = platform.events("access.remote_open")
        assert event["subject"] == "door"
        told = {"method": "remote", "method_code": "100302", "opened": True, "device": "door-relay", "request_id": "a1"}
        assert event["data"].items() >= told.items()
        wait_until(lambda: platform.events("audit.command"))
        (audit,) = platform.events("audit.command")
        said = {"request_id": "a1", "command": "door.open", "point": "door", "ordered_by": "city", "code": "done"}
        assert audit["data"] == {**said, "ok": True}
    platform.close()


def test_nothing_is_allowed_that_is_not_named(tmp_path: Path, broker: Mosquitto, platform: Platform) -> None:
    with Gateway(tmp_path, broker.port, allow=["ping"]).running() as gateway:
        assert platform.order("ping")["ok"] is True
        reply = platform.order("door.open", point="door")
        assert (reply["ok"], reply["code"]) == (False, "not_allowed")
        assert "[commands] allow" in reply["message"]
        assert platform.set_roster({"version": 1, "full": True, "items": []})["code"] == "not_allowed"
        assert gateway.relays["door-relay"].opened == 0
        assert len(gateway.roster.list()) == 2
        wait_until(lambda: [audit["code"] for audit in gateway.audits()] == ["done", "not_allowed", "not_allowed"])


def test_a_command_needs_an_expiry(gateway: Gateway, platform: Platform) -> None:
    platform.publish("cmd/a1", {"command": "door.open", "args": {"point": "door"}})
    wait_until(lambda: platform.replies("a1"))
    (reply,) = platform.replies("a1")
    assert (reply["code"], "expires_at" in reply["message"]) == ("bad_request", True)
    platform.publish("cmd/a2", {"command": "ping", "expires_at": "2026-11-22T08:00:00"})  # in which zone?
    wait_until(lambda: platform.replies("a2"))
    assert platform.replies("a2")[0]["code"] == "bad_request"
    assert gateway.relays["door-relay"].opened == 0


@pytest.mark.parametrize(
    ("command", "seconds", "code"),
    [
        ("door.open", -0.1, "expired"),
        ("door.open", 29, "done"),
        ("door.open", 60, "expires_too_late"),
        ("ping", 3500, "done"),
        ("ping", 3700, "expires_too_late"),
    ],
)
def test_the_expiry_is_neither_past_nor_far(
    gateway: Gateway, platform: Platform, command: str, seconds: float, code: str
) -> None:
    args = {"point": "door"} if command == "door.open" else {}
    assert platform.order(command, expires=soon(seconds), **args)["code"] == code
    assert gateway.relays["door-relay"].opened == (command == "door.open" and code == "done")


def test_nothing_is_done_while_the_clock_is_not_synced(gateway: Gateway, platform: Platform) -> None:
    gateway.trust = ClockTrust.UNSYNCED
    assert platform.order("door.open", "a1", point="door")["code"] == "clock_unsynced"
    ack = platform.set_roster({"version": 1, "full": True, "items": []})
    assert (ack["ok"], ack["code"], ack["version"]) == (False, "clock_unsynced", 0)
    assert gateway.relays["door-relay"].opened == 0
    assert len(gateway.roster.list()) == 2
    gateway.trust = ClockTrust.SYNCED  # what was refused was not carried out: the same request may come again
    assert platform.order("door.open", "a1", point="door")["code"] == "done"


def test_a_retained_command_is_ignored(tmp_path: Path, broker: Mosquitto, platform: Platform, protocol: str) -> None:
    order = {"command": "door.open", "expires_at": soon(29), "args": {"point": "door"}}
    platform.publish("cmd/old", order, retain=True)
    platform.publish("roster/holders/set", {"version": 1, "full": True, "items": []}, retain=True)
    with Gateway(tmp_path, broker.port, protocol).running() as gateway:
        wait_until(lambda: gateway.count("retained_orders") == 2)
        assert platform.order("ping")["ok"] is True  # those before it have been dealt with
        assert gateway.relays["door-relay"].opened == 0
        assert not platform.replies("old")
        assert len(gateway.roster.list()) == 2
        if protocol == "5":  # says so even to those who are listening already
            platform.publish("cmd/new", {**order, "expires_at": soon(29)}, retain=True)
            wait_until(lambda: gateway.count("retained_orders") == 3)
            assert not platform.replies("new")


def test_a_request_is_carried_out_once_and_answered_again(gateway: Gateway, platform: Platform) -> None:
    order = {"command": "door.open", "expires_at": soon(), "args": {"point": "door"}}
    for times in (1, 2, 3):
        platform.publish("cmd/a1", order)
        wait_until(lambda times=times: len(platform.replies("a1")) == times)  # type: ignore[misc]
    first, second, third = platform.replies("a1")
    assert first == second == third
    assert first["ok"] is True
    assert gateway.relays["door-relay"].opened == 1
    wait_until(lambda: gateway.journal.history(glob="access.remote_open") and gateway.audits())
    assert len(gateway.audits()) == 1
    assert platform.order("door.open", "a1", point="gate")["code"] == "request_id_reused"


def test_a_request_is_remembered_across_a_restart(tmp_path: Path, broker: Mosquitto, platform: Platform) -> None:
    order = {"command": "door.open", "expires_at": soon(29), "args": {"point": "door"}}
    with Gateway(tmp_path, broker.port).running():
        platform.publish("cmd/a1", order)
        wait_until(lambda: platform.replies("a1"))
    with Gateway(tmp_path, broker.port).running() as again:
        platform.publish("cmd/a1", order)
        wait_until(lambda: len(platform.replies("a1")) == 2)
        assert again.relays["door-relay"].opened == 0


def test_response_topic_and_correlation_data_are_honoured(gateway: Gateway, platform: Platform) -> None:
    order = {"command": "ping", "expires_at": soon()}
    platform.publish("cmd/a1", order, ResponseTopic="platform/answers/7", CorrelationData=b"\x00\x01 7")
    wait_until(lambda: platform.bodies("platform/answers/7"))
    (message,) = [message for message in platform.messages if message.topic == "platform/answers/7"]
    assert message.properties.CorrelationData == b"\x00\x01 7"  # type: ignore[union-attr]
    assert not platform.replies("a1")
    platform.publish("cmd/a2", order, CorrelationData=b"8")
    wait_until(lambda: platform.replies("a2"))
    (answered,) = [message for message in platform.messages if message.topic == f"{PREFIX}/reply/a2"]
    assert answered.properties.CorrelationData == b"8"  # type: ignore[union-attr]
    wait_until(lambda: gateway.count("replies") == 2)


@pytest.mark.parametrize("topic", [f"{PREFIX}/status", "compound/v1/other/box/cmd/1", "$SYS/x", "a" * 600])
def test_a_response_topic_cannot_make_the_gateway_speak_as_another(
    gateway: Gateway, platform: Platform, topic: str
) -> None:
    platform.publish("cmd/a1", {"command": "ping", "expires_at": soon()}, ResponseTopic=topic)
    wait_until(lambda: platform.replies("a1"))
    assert all("request_id" not in body for body in platform.bodies(topic))
    assert gateway.count("connects") == 1


def test_an_answer_that_a_broker_cuts_the_line_for_is_given_up(
    gateway: Gateway, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    """Mosquitto hands on such a response topic, and takes nothing under it: the sender can never be answered there."""
    platform.publish("cmd/a1", {"command": "ping", "expires_at": soon()}, ResponseTopic="a/" * 250)
    wait_until(lambda: "a reply is given up" in caplog.text)
    order = {"command": "ping", "expires_at": soon()}

    def is_answered() -> bool:
        platform.publish("cmd/a2", order)  # while the gateway is away it gets lost
        time.sleep(0.2)
        return bool(platform.replies("a2"))

    wait_until(is_answered)
    assert gateway.count("connects") > 1


def test_an_answer_to_a_name_that_is_too_long_for_a_topic_goes_under_its_beginning(
    gateway: Gateway, platform: Platform
) -> None:
    platform.publish("cmd/" + "x" * 65_490, {"command": "ping", "expires_at": soon()})
    wait_until(lambda: platform.replies("x" * 64))
    assert platform.replies("x" * 64)[0]["code"] == "bad_request"
    assert gateway.count("connects") == 1


def test_an_answer_whose_connection_broke_goes_out_on_the_next(
    tmp_path: Path, broker: Mosquitto, platform: Platform
) -> None:
    """The line is cut when the errand ends."""
    wire = Wire(broker.port)
    with Gateway(tmp_path, wire.port).running() as gateway:
        args = {"holder_ref": gateway.roster.ref("r-0601")}
        platform.publish("cmd/a1", {"command": "credential.revoke", "expires_at": soon(), "args": args})
        wait_until(lambda: gateway.count("orders") == 1)
        wire.refuse()
        wait_until(lambda: gateway.who_has("w26:8-27886") == "lost")
        assert not platform.replies("a1")
        wire.open()
        wait_until(lambda: platform.replies("a1"))
        assert platform.replies("a1")[0]["ok"] is True
    wire.close()


def test_a_clock_far_ahead_or_behind_is_just_another_expiry(gateway: Gateway, platform: Platform) -> None:
    for moment in (datetime.min, datetime.max):
        for offset in (timedelta(hours=23), -timedelta(hours=23)):
            sign = "+" if offset > timedelta(0) else "-"
            expires = f"{moment.isoformat(timespec='seconds')}{sign}23:00"
            assert platform.order("ping", expires=expires)["code"] in {"expired", "expires_too_late"}
    assert platform.order("ping", expires=datetime.now(UTC).isoformat())["code"] == "expired"
    assert gateway.count("connects") == 1


def test_a_broker_that_refuses_the_subscription_is_said(tmp_path: Path, protocol: str) -> None:
    """Events go on all the same."""
    folder = tmp_path / "strict"
    folder.mkdir()
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    (folder / "rules.json").write_text(json.dumps({"defaultACLAccess": access}), encoding="utf-8")
    (plugin,) = Path("/usr/lib").glob("*/mosquitto_dynamic_security.so")
    with (
        Mosquitto(folder, f"plugin {plugin}", f"plugin_opt_config_file {folder}/rules.json") as strict,
        Gateway(tmp_path, strict.port, protocol).connected() as gateway,
    ):
        wait_until(lambda: gateway.count("refused_subscriptions") == 2)
        assert gateway.count("connects") == 1
