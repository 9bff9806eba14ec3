"""A platform's subscriber, written from docs/platform.md and docs/asyncapi.json alone; it imports nothing of gateway/.

It holds every message to the schema of its topic, keeps each event once, proves that none is missing and says so by
`ack`. `strict` also refuses keys and event types that are written down nowhere, which a real platform must take.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jsonschema import Draft202012Validator
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

ASYNCAPI = json.loads((Path(__file__).resolve().parent.parent / "docs" / "asyncapi.json").read_text(encoding="utf-8"))
PREFIX = "compound/v1"


class Contract:
    """The AsyncAPI document: which topic carries which message, and what it must look like."""

    def __init__(self, *, strict: bool = False) -> None:
        schemas = ASYNCAPI["components"]["schemas"]
        components = {**ASYNCAPI["components"], "schemas": {k: _closed(v) if strict else v for k, v in schemas.items()}}
        self._topics = []
        self._strict = strict
        for name, channel in ASYNCAPI["channels"].items():
            pattern = re.escape(channel["address"].replace("{topic_prefix}", PREFIX))
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", pattern)
            schema = {"$ref": f"#/components/messages/{name}/payload", "components": components}
            self._topics.append((re.compile(pattern), name, Draft202012Validator(schema)))
        self.types = set(re.findall(r'"const": "(compound\.[a-z_.]+v1)"', json.dumps(ASYNCAPI)))

    def faults(self, topic: str, payload: bytes) -> tuple[str, list[str]]:
        """Which kind of message it is, and what is wrong with it."""
        found = next((entry for entry in self._topics if entry[0].fullmatch(topic)), None)
        if found is None:
            return "", [f"nothing is said of the topic {topic}"]
        try:
            body = json.loads(payload)
        except ValueError as error:
            return found[1], [f"{topic}: no JSON: {error}"]
        wrong = [f"{topic}: {error.json_path}: {error.message}" for error in found[2].iter_errors(body)]
        if self._strict and found[1].startswith("event-") and body.get("type") not in self.types:
            wrong.append(f"{topic}: nothing is said of the type {body.get('type')}")
        return found[1], wrong


class Stranger:
    """Connect, and everything is checked as it comes. `acknowledge`: publish the watermark, for `ack_required`."""

    def __init__(
        self, port: int, *, gateway: str = "fenglinwan/box-1", strict: bool = False, acknowledge: bool = False
    ):
        self.root = f"{PREFIX}/{gateway}"
        self.contract = Contract(strict=strict)
        self.faults: list[str] = []
        self.kinds: set[str] = set()
        self.events: dict[str, dict[str, Any]] = {}  # by id
        self.last: dict[str, dict[str, Any]] = {}  # by topic below the root
        self._acknowledge = acknowledge
        self._ready = False
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"stranger-{uuid.uuid4()}", protocol=MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{self.root}/#", 1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(0.1, 0.5)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        deadline = time.monotonic() + 60
        while not self._ready:
            assert time.monotonic() < deadline, "no subscription"
            time.sleep(0.02)

    @property
    def types(self) -> set[str]:
        return {event["type"] for event in list(self.events.values())}

    def complete_upto(self) -> int:
        """The watermark: no event at or below it is missing. A chain of `previous`; what a `loss` names is no gap."""
        begin = int(self.last.get("catalog", {}).get("begins_after", 0))
        end = begin
        by_sequence = sorted(self.events.copy().values(), key=lambda event: event["sequence"])
        known = {event["sequence"] for event in by_sequence}
        lost = [(loss["from"], loss["to"]) for loss in self._losses() if loss["from"] is not None]
        for event in by_sequence:
            before = event["previous"]
            if before > begin and before not in known and not any(first <= before <= last for first, last in lost):
                return end
            end = event["sequence"]
        return end

    def publish(self, leaf: str, body: Any) -> None:
        _, wrong = self.contract.faults(f"{self.root}/{leaf}", json.dumps(body).encode())
        assert not wrong
        self._client.publish(f"{self.root}/{leaf}", json.dumps(body), 1).wait_for_publish(60)

    def _losses(self) -> list[dict[str, Any]]:
        return [event["data"] for event in list(self.events.values()) if event["type"] == "compound.loss.v1"]

    def _on_subscribe(self, *_: Any) -> None:
        self._ready = True

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        kind, wrong = self.contract.faults(message.topic, message.payload)
        self.faults += wrong
        self.kinds.add(kind)
        leaf = message.topic.removeprefix(f"{self.root}/")
        if not wrong:
            self.last[leaf] = json.loads(message.payload)
            if kind.startswith("event-"):
                self._keep(kind, self.last[leaf])

    def _keep(self, kind: str, event: dict[str, Any]) -> None:
        """Once by id. The same id with other content, or the same sequence under another id, is a fault."""
        before = self.events.setdefault(event["id"], event)
        if {**before, "replay": None} != {**event, "replay": None}:
            self.faults.append(f"{event['id']} has changed")
        if before is event and any(
            one["sequence"] == event["sequence"] and one is not event for one in list(self.events.values())
        ):
            self.faults.append(f"sequence {event['sequence']} came under two ids")
        if event["type"].split(".")[1] != kind.removeprefix("event-"):
            self.faults.append(f"{event['type']} came as {kind}")
        if self._acknowledge and (upto := self.complete_upto()):  # 0 while an alarm has overtaken the first event
            self._client.publish(f"{self.root}/ack", json.dumps({"seq": upto}), 1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _closed(schema: Any) -> Any:
    """No key but those that are written down."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed
