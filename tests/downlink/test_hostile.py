"""Whatever a platform, or somebody in its place, writes: an answer with a code, and a gateway that goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.clock import ClockTrust
from gateway.downlink.answers import Code
from gateway.downlink.ledger import Ledger
from gateway.errors import StoreError
from gateway.mqtt import Message
from gateway.types import Event
from gateway.uplink import Order, Outbox, Reply
from tests.downlink.parts import EVERYTHING, PREFIX, Gateway, soon
from tests.real import wait_until

CODES = {code.value for code in Code}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_CALL = st.fixed_dictionaries(
    {},
    optional={
        "command": st.sampled_from(EVERYTHING) | _JSON,
        "expires_at": st.just(soon(3000)) | st.datetimes().map(lambda at: f"{at.isoformat()}Z") | _JSON,
        "args": _JSON | st.dictionaries(st.sampled_from(["point", "from", "to", "holder_ref", "dataset"]), _JSON),
        "request_id": _JSON,
        "more": _JSON,
    },
)
_PAYLOAD = st.binary(max_size=200) | (_CALL | _JSON).map(lambda value: json.dumps(value).encode("utf-8", "replace"))


class Desk:
    """A downlink without its threads: what it answers and what it audits."""

    def __init__(self, folder: Path) -> None:
        self.gateway = Gateway(folder, 1)
        self.downlink = self.gateway.downlink
        self.outbox = Outbox(lambda: None)
        self.audits: list[Event] = []
        self.downlink._record = lambda event, then=None: self.audits.append(event)  # noqa: ARG005

    def give(self, topic: str, payload: bytes, *, serve: bool = True, **properties: Any) -> Reply | None:
        order = Order("city", PREFIX, Message(f"{PREFIX}/{topic}", payload, False, properties), self.outbox)
        self.downlink.obey(order)
        if serve:
            self.downlink._serve(self.downlink._orders.get_nowait())
        found = self.outbox.take()
        assert not isinstance(found, Order)
        return found if isinstance(found, Reply) else None


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    yield desk
    desk.gateway.journal.close()


def drain(desk: Desk) -> None:
    """Errands that nobody runs here."""
    while desk.downlink.errands._queue.qsize():
        desk.downlink.errands._queue.get_nowait()
    for case in desk.downlink._under_way:
        desk.downlink._release(case)
    desk.downlink._under_way.clear()
    assert desk.downlink._held == 0


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(payload=_PAYLOAD, name=st.text(st.characters(exclude_characters="/#+\0", codec="utf-8"), max_size=80))
def test_any_command_gets_an_answer_with_code_and_words(desk: Desk, payload: bytes, name: str) -> None:
    desk.audits.clear()
    reply = desk.give(f"cmd/{name}", payload)
    if reply is None:  # a valid one that an errand answers
        assert desk.downlink._under_way
        drain(desk)
        return
    body = json.loads(reply.payload)
    assert reply.topic == f"{PREFIX}/reply/{name}"
    assert body["code"] in CODES
    assert body["message"]
    assert body["ok"] is (body["code"] == "done")
    desk.gateway.journal.append(desk.audits, "boot")  # the privacy guard lets each audit pass
    assert len(desk.audits) == 1 or "done" in body["code"] or body["code"] == "unknown_outcome"


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    topic=st.text(max_size=40) | st.sampled_from(["#", "a/+", f"{PREFIX}/cmd/1"]), correlation=st.binary(max_size=40)
)
def test_any_response_topic_is_used_or_left_alone(desk: Desk, topic: str, correlation: bytes) -> None:
    reply = desk.give("cmd/?", b"", ResponseTopic=topic, CorrelationData=correlation)
    assert reply is not None
    assert reply.topic in {topic, f"{PREFIX}/reply/?"}
    assert not set(reply.topic) & set("#+\0")
    assert reply.correlation == correlation


def test_a_request_id_cannot_hide_its_audit(desk: Desk) -> None:
    """The privacy guard would refuse an event with what looks like a picture."""
    desk.audits.clear()
    for name in ("UklGRabcdefghijklmnop", "a" * 64, "x" * 1000):
        assert desk.give(f"cmd/{name}", json.dumps({"command": "ping", "expires_at": soon()}).encode())
    desk.gateway.journal.append(desk.audits, "boot")
    assert [audit.data["code"] for audit in desk.audits] == ["bad_request", "done", "bad_request"]


def test_a_flood_is_answered_busy_and_bounded(desk: Desk) -> None:
    replies = [desk.give(f"cmd/{n}", b"", serve=False) for n in range(500)]
    waiting = desk.downlink._orders.qsize()
    assert waiting == 64
    assert all(reply is None for reply in replies[:64])
    assert all(reply is not None and b'"busy"' in reply.payload for reply in replies[64:])
    while desk.downlink._orders.qsize():
        desk.downlink._release(desk.downlink._orders.get_nowait())


def test_orders_together_stay_within_a_bound_of_memory(desk: Desk) -> None:
    replies = [desk.give("roster/holders/set", bytes(7 << 20), serve=False) for _ in range(5)]
    assert [reply is None for reply in replies] == [True, True, True, False, False]
    assert replies[4] is not None
    assert b'"busy"' in replies[4].payload
    while desk.downlink._orders.qsize():
        desk.downlink._release(desk.downlink._orders.get_nowait())
    assert desk.downlink._held == 0


def test_a_command_of_more_than_64_kib_is_refused(desk: Desk) -> None:
    reply = desk.give("cmd/big", b" " * (65 << 10))
    assert reply is not None
    assert b'"too_large"' in reply.payload


def test_too_many_errands_are_refused(desk: Desk) -> None:
    args = {"holder_ref": "h:0123456789abcdef"}
    body = json.dumps({"command": "credential.revoke", "expires_at": soon(), "args": args}).encode()
    replies = [desk.give(f"cmd/errand-{n}", body) for n in range(9)]
    assert replies[:8] == [None] * 8
    assert replies[8] is not None
    assert b'"busy"' in replies[8].payload
    drain(desk)


def test_what_takes_longer_is_said_in_time(tmp_path: Path) -> None:
    """Nobody runs the errand: after 1.5 s the platform hears that it is under way, once; so does who asks again."""
    desk = Desk(tmp_path)
    args = {"holder_ref": "h:0123456789abcdef"}
    body = json.dumps({"command": "person.erase", "expires_at": soon(), "args": args}).encode()
    assert desk.give("cmd/slow", body) is None
    again = desk.give("cmd/slow", body)
    assert again is not None
    assert json.loads(again.payload)["ok"] is None
    stop = threading.Event()
    thread = threading.Thread(target=desk.downlink.run, args=(stop,))
    thread.start()
    said: list[Any] = []
    wait_until(lambda: said.append(desk.outbox.take()) or any(said))
    stop.set()
    thread.join()
    (reply,) = [one for one in (*said, desk.outbox.take()) if one]
    assert json.loads(reply.payload)["code"] == "under_way"
    desk.gateway.journal.close()
    after = Desk(tmp_path)  # as after a crash: taken, and nobody knows
    interrupted = after.give("cmd/slow", body)
    assert interrupted is not None
    assert json.loads(interrupted.payload)["code"] == "unknown_outcome"
    after.gateway.journal.close()


def test_no_order_goes_unanswered_at_a_stop(tmp_path: Path) -> None:
    """The broker has our PUBACK for each: it will not come again by itself."""
    desk = Desk(tmp_path)
    args = {"holder_ref": "h:0123456789abcdef"}
    erase = json.dumps({"command": "person.erase", "expires_at": soon(), "args": args}).encode()
    ping = json.dumps({"command": "ping", "expires_at": soon()}).encode()
    assert desk.give("cmd/errand", erase) is None
    assert desk.give("cmd/waits", ping, serve=False) is None
    stop = threading.Event()
    stop.set()
    desk.downlink.run(stop)
    desk.downlink.errands.run(stop)
    late = desk.give("cmd/late", ping, serve=False)
    replies = [late, desk.outbox.take(), desk.outbox.take()]
    codes = {reply.topic[-5:]: json.loads(reply.payload)["code"] for reply in replies if isinstance(reply, Reply)}
    assert codes == {"waits": "busy", "rrand": "store_failed", "/late": "busy"}
    assert desk.downlink._held == 0
    desk.gateway.journal.close()


def test_without_a_ledger_nothing_is_done(tmp_path: Path) -> None:
    """A disk that refuses: once is not certain, so not at all."""
    desk = Desk(tmp_path)
    (desk.gateway.data / "downlink.db").mkdir()
    body = {"command": "door.open", "expires_at": soon(), "args": {"point": "door"}}
    reply = desk.give("cmd/1", json.dumps(body).encode())
    assert reply is not None
    assert json.loads(reply.payload)["code"] == "store_failed"
    assert desk.audits[0].data["code"] == "store_failed"
    with pytest.raises(StoreError):
        Ledger(desk.gateway.data / "downlink.db").recall("city", "1")
    desk.gateway.journal.close()


def test_the_clock_is_asked_at_each_order(desk: Desk) -> None:
    body = json.dumps({"command": "ping", "expires_at": soon()}).encode()
    desk.gateway.trust = ClockTrust.RESTORED
    reply = desk.give("cmd/clock", body)
    desk.gateway.trust = ClockTrust.SYNCED
    assert reply is not None
    assert b"clock_unsynced" in reply.payload
