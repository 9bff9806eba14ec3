"""docs/schemas and docs/asyncapi.json: made from the code, complete, and schemas indeed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.cloudevent import SCHEMA_VERSION, message_schemas
from gateway.messages import DATA
from gateway.schemas import as_text, asyncapi, json_schemas
from gateway.schemas.kinds import MESSAGES
from gateway.types import EventClass
from gateway.wording import _SENTENCES
from tests.installed import ROOT
from tests.stranger import PREFIX, Contract

DOCS = ROOT / "docs"
BOX = f"{PREFIX}/fenglinwan/box-1"


def test_what_is_written_down_is_what_the_code_says() -> None:
    """`make schemas` mends it; a key or a type that goes, or that changes, needs a new version."""
    assert (DOCS / "asyncapi.json").read_text(encoding="utf-8") == as_text(asyncapi())
    written = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "schemas").glob("*.json")}
    assert written == {name: as_text(schema) for name, schema in json_schemas().items()}


def test_every_event_that_has_words_has_a_shape() -> None:
    """A new event needs both: a sentence for staff (wording.py) and a model for platforms (messages/events.py)."""
    assert set(_SENTENCES) == set(DATA)
    assert {name.partition(".")[0] for name in DATA} <= set(EventClass)


def test_the_schemas_are_schemas_and_every_reference_leads_somewhere() -> None:
    identities = [schema["$id"] for schema in json_schemas().values()]
    assert len(set(identities)) == len(identities) == len(EventClass) + 1 + len(MESSAGES)
    assert set(message_schemas().values()) < set(identities)
    assert {f"urn:compound-gateway:{kind}:{version}" for kind, version in SCHEMA_VERSION.items()} < set(identities)
    for schema in json_schemas().values():
        Draft202012Validator.check_schema(schema)
        _follow(schema)
    _follow(asyncapi())


def _follow(document: dict[str, Any]) -> None:
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        place: Any = document
        for part in reference.split("/"):
            place = place[part]


@pytest.mark.parametrize(
    ("leaf", "body", "fault"),
    [
        ("status", {"status": "on"}, "'on' is not one of"),
        ("event/access", {"id": "1"}, "'specversion' is a required property"),
        ("cmd/1", {"command": "door.open", "expires_at": "2026-11-22T08:00:00Z", "args": {}}, "not valid under any"),
        ("ack", {"seq": 0}, "0 is less than the minimum of 1"),
        ("roster/holders/set", {"version": 1, "items": []}, "not valid under any"),
        ("nothing", {}, "nothing is said of the topic"),
    ],
)
def test_what_does_not_fit_is_found(leaf: str, body: Any, fault: str) -> None:
    _, faults = Contract().faults(f"{BOX}/{leaf}", json.dumps(body).encode())
    assert any(fault in found for found in faults), faults


def test_the_examples_of_the_page_fit() -> None:
    page = (DOCS / "platform.md").read_text(encoding="utf-8")
    leaves = {
        "specversion": "event/{}",
        "boot_id": "status",
        "request_id": "reply/7f3a",
        "items": "roster/holders/set",
    }
    seen = set()
    for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL):
        body = json.loads(block)
        leaf = next(leaf for key, leaf in leaves.items() if key in body)
        seen.add(leaf)
        topic = f"{BOX}/{leaf}".format(body.get("type", "..").split(".")[1])  # of an event: its class
        assert not Contract(strict=True).faults(topic, block.encode())[1]
    for command in re.findall(r"-m '(.*)'", page):
        assert not Contract(strict=True).faults(f"{BOX}/cmd/7f3a", command.encode())[1]
    assert seen == set(leaves.values())
