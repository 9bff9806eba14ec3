"""Every message of a running gateway fits what platforms were told, whatever the field policy."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gateway.cloudevent import encode
from gateway.messages import DATA
from gateway.schemas import json_schemas
from gateway.settings import Treatment
from tests.house import KNOWN, SerialLine, door_house
from tests.real import Mosquitto, wait_until
from tests.schemas.everything import Everything, Orders
from tests.stranger import ASYNCAPI, PREFIX, Contract, Stranger
from tests.uplink.parts import ZONE

HOLDER = {"holder_id": "r-9", "name": "丙", "kind": "resident", "points": ["*"], "cards": ["em4100:1122334455"]}


def test_everything_that_a_gateway_says_is_as_it_was_written_down(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Everything(tmp_path, broker.port)
    with Stranger(broker.port, strict=True) as stranger:
        with gateway.speaking():
            orders = Orders(stranger)
            gateway.see_everything()
            gateway.answer_check()
            gateway.audit_faces()
            gateway.worry()
            for command, args in (
                ("ping", {}),
                ("config.get", {}),
                ("roster.sync", {}),
                ("door.open", {"point": "door"}),
                ("barrier.open", {"point": "gate"}),
                ("event.resend", {"from": 1, "to": 9999}),
                ("credential.revoke", {"holder_ref": gateway.keys.holder_ref("r-0502")}),
                ("person.erase", {"holder_ref": gateway.keys.holder_ref("r-0601")}),
            ):
                assert orders.give(command, **args) == "done"
            assert orders.give("capture.get", capture="x") == "unsupported"
            assert orders.give("door.open", point="nowhere") == "unknown_point"
            assert orders.set_roster({"version": 7, "full": True, "items": [HOLDER]}) == "done"
            assert orders.set_roster({"version": 9, "base": 8, "items": []}) == "out_of_step"
            assert orders.set_roster({"version": 8, "base": 7, "items": [{**HOLDER, "cards": ["?"]}]}) == "faults"
            gateway.fail_and_recover(monkeypatch)
            wanted = {f"compound.{name}.v1" for name in DATA}
            wait_until(lambda: stranger.types == wanted, what="an event of every type")
            wait_until(lambda: "health" in stranger.last, what="health")
            last = gateway.journal.last_seq
            wait_until(lambda: stranger.complete_upto() >= last, what="nothing is missing")
        wait_until(lambda: stranger.last["status"]["status"] == "stopped")
        assert not stranger.faults
        downwards = {"ack", "cmd", "roster-set"}
        assert stranger.kinds | downwards == set(ASYNCAPI["channels"])


@pytest.mark.parametrize("treatment", ["clear", "mask", "hash", "drop"])
def test_no_field_policy_breaks_a_shape(tmp_path: Path, treatment: Treatment) -> None:
    gateway = Everything(tmp_path, 1)
    contract = Contract(strict=True)
    gateway.see_everything()
    over = threading.Event()
    over.set()
    for part in (gateway.doorkeeper, gateway.recorder):  # each finishes what waits
        part.run(over)
    fields = {"plate_no": treatment, "holder": treatment, "room": treatment}
    rows = gateway.journal.history(limit=1000)
    schemas = {schema["$id"]: Draft202012Validator(schema) for schema in json_schemas().values()}
    assert {row.name for row in rows} > {"vehicle.passed", "vehicle.uncertain", "access.granted", "access.recognised"}
    for row in rows:
        body = encode(row, "/fenglinwan/box-1", 0, False, fields, gateway.keys, ZONE)  # type: ignore[arg-type]
        topic = f"{PREFIX}/fenglinwan/box-1/event/{row.event_class}"
        assert not contract.faults(topic, body)[1], json.loads(body)
        event = json.loads(body)
        assert not [*schemas[event["dataschema"]].iter_errors(event["data"])], event
    gateway.journal.close()


def test_a_stranger_keeps_the_books_of_a_killed_daemon(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> None:
    """A real daemon, killed twice, whose events are passed by the stranger's watermark alone."""
    house = door_house(tmp_path, line, broker)
    text = house.config.read_text(encoding="utf-8")
    house.config.write_text(text + "ack_required = true\n", encoding="utf-8")
    with Stranger(broker.port, strict=True, acknowledge=True) as stranger:
        for cards in (10, 20):
            with house:  # killed at its end
                house.wait_online("reader")
                for _ in range(10):
                    line.present(KNOWN)
                    time.sleep(0.05)
                wait_until(lambda cards=cards: house.kept("access") == cards)  # type: ignore[misc]
        with house:
            house.wait_online("reader")
            wait_until(lambda: house.status()["uplinks"]["city"]["waiting"] == 0, what="all acknowledged")
            assert stranger.complete_upto() == house.status()["journal"]["last"]
            assert house.stop() == 0
        assert not stranger.faults
        assert len([event for event in stranger.events.values() if "access" in event["type"]]) == 20
