"""A gateway without devices but with real relays' workers, journal, roster and uplinks; and a platform that orders."""

from __future__ import annotations

import itertools
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.board import Board
from gateway.captures import Captures
from gateway.clock import ClockTrust
from gateway.cloudevent import Identity
from gateway.credentials import parse_credential
from gateway.downlink import open_downlink
from gateway.errors import DeviceLost
from gateway.faces import FILE_NAME as FACES
from gateway.faces import Consent, FaceStore, ModelId
from gateway.housekeeping import Housekeeping, LiveRegister
from gateway.inspection import Inspection
from gateway.journal import Journal
from gateway.keys import Keys
from gateway.recorder import Recorder
from gateway.roster import Roster
from gateway.roster.file import read
from gateway.settings import Settings
from gateway.spool import Spool
from gateway.types import DeviceStatus
from gateway.uplink import Uplink
from gateway.worker import ActuatorWorker
from tests.facts import BOOT
from tests.real import PATIENCE_S, wait_until
from tests.running import running
from tests.uplink.parts import ALL, PREFIX, ZONE

CARD = "em4100:62E3086CED"
ROSTER = (
    "holder_id,name,kind,category,room,cards,plates,points,valid_from,valid_until\n"
    f"r-0502,甲,resident,owner,3-1-0502,{CARD},鄂J12345,*,,\n"
    "r-0601,乙,resident,owner,3-1-0601,w26:8-27886,,*,,\n"
)
EVERYTHING = [
    "door.open",
    "barrier.open",
    "roster.sync",
    "credential.revoke",
    "person.erase",
    "event.resend",
    "capture.get",
    "notice.show",
    "config.get",
    "ping",
]
POINTS = {
    "door": {"name": "门", "kind": "pedestrian", "direction": "in", "actuator": "door-relay", "open_s": 0.2},
    "gate": {
        "name": "杆",
        "kind": "vehicle",
        "direction": "both",
        "actuator": "gate-relay",
        "open_s": 0.2,
        "check_unknown": True,
    },
    "side": {"name": "侧门", "kind": "mixed", "direction": "out"},
}


class Relay:
    """A relay that remembers, and that can be torn off."""

    def __init__(self) -> None:
        self.opened = 0
        self.is_lost = False

    def switch(self, on: bool) -> None:
        if self.is_lost:
            raise DeviceLost("torn off")
        self.opened += on

    def close(self) -> None: ...


class Gateway:
    """Everything between broker and relay, on threads of its own."""

    def __init__(self, folder: Path, port: int, protocol: str = "5", *, allow: list[str] | None = None) -> None:
        self.data = folder / "data"
        self.trust = ClockTrust.SYNCED
        self.settings = Settings.model_validate(
            {
                "site": {"compound_id": "fenglinwan", "name": "枫林湾", "language": "en"},
                "gateway": {"id": "box-1", "data_dir": self.data},
                "points": POINTS,
                "actuators": {"door-relay": {"driver": "log"}, "gate-relay": {"driver": "log"}},
                "uplinks": {"city": {"host": "127.0.0.1", "port": port, "protocol": protocol, "keepalive_s": 20}},
                "commands": {"allow": EVERYTHING if allow is None else allow},
            }
        )
        self.board = Board()
        self.keys = Keys(self.data)
        self.roster = Roster(self.data / "roster.db", self.keys)
        if not self.data.joinpath("roster.db").exists():
            self.roster.import_rows(read(ROSTER.encode()).rows)
        self.journal = Journal(self.data / "journal" / "journal.db")
        self.captures = Captures(self.data / "captures", self.settings.captures, min_free=1 << 20, board=self.board)
        self.recorder = Recorder(self.journal, self.board, boot=BOOT, captures=self.captures)
        self.inspection = Inspection(self.settings.points, ZONE, self.recorder.record, self.board)
        self.register = LiveRegister(self.roster, self.board)
        self.relays = {name: Relay() for name in self.settings.actuators}
        self.workers = {
            name: ActuatorWorker(name, None, lambda relay=relay: relay, self.board)  # type: ignore[misc]
            for name, relay in self.relays.items()
        }
        self.downlink = open_downlink(
            self.settings,
            in_force=lambda: self.settings,
            journal=self.journal,
            keys=self.keys,
            register=self.register,
            actuators=self.workers,
            record=self.inspection.record,
            board=self.board,
            captures=self.captures,
            read_trust=lambda: self.trust,
        )
        identity = Identity("fenglinwan", "box-1", BOOT, "0.1.0")
        around = (identity, self.journal, self.board, self.keys, ZONE, dict)
        options = self.settings.uplinks["city"]
        self.uplink = Uplink("city", options, *around, obey=self.downlink.obey, longest_pause=0.5)
        spool = Spool(self.data / "spool")
        self.housekeeping = Housekeeping(
            register=self.register,
            spool=spool,
            recorder=self.recorder,
            zone=ZONE,
            faces=FaceStore(self.data / FACES, self.keys.face_key),
            board=self.board,
        )

    @contextmanager
    def running(self) -> Iterator[Gateway]:
        """On line, and listening to orders."""
        with self.connected():
            self._wait_for_subscription()
            yield self

    @contextmanager
    def connected(self) -> Iterator[Gateway]:
        works = [self.uplink, self.recorder, self.housekeeping, self.inspection, self.downlink, self.downlink.errands]
        with closing(self.journal), running(*works, *self.workers.values()):
            wait_until(self._is_ready, what="the gateway is on line")
            yield self

    def _is_ready(self) -> bool:
        state = self.board.facts().get("uplink.city") or {}
        relays = [device.status is DeviceStatus.ONLINE for device in self.board.devices()]
        return state.get("status") == "online" and len(relays) == len(self.relays) and all(relays)

    def _wait_for_subscription(self) -> None:
        """It says that it is on line after it has subscribed, on the same connection."""
        observer = Platform(self.settings.uplinks["city"].port)
        wait_until(lambda: [body["status"] for body in observer.bodies(f"{PREFIX}/status")][-1:] == ["online"])
        observer.close()

    def count(self, what: str) -> int:
        return self.board.counters().get(f"uplink.city.{what}", 0)

    def audits(self) -> list[dict[str, Any]]:
        """What `audit.command` says, oldest first."""
        return [dict(row.data) for row in self.journal.history(glob="audit.command")]

    def enrol(self, holder_id: str) -> None:
        """Give a holder a template."""
        store = FaceStore(self.data / FACES, self.keys.face_key)
        consent = Consent("1", "paper", "X-1", datetime.now(UTC))
        store.enrol(self.keys.holder_ref(holder_id), [[0.5] * 128], consent, ModelId("m", "0" * 64))

    def people_with_faces(self) -> int:
        return FaceStore(self.data / FACES, self.keys.face_key).people()

    def who_has(self, card: str = CARD) -> str | None:
        """The status of the holder that the doors know for a card."""
        found = self.register().by_credential(parse_credential(card))
        return found[0].status if found else None


def soon(seconds: float = 29) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


class Platform:
    """An MQTT client of its own kind, 5 or 3.1.1."""

    def __init__(self, port: int, protocol: str = "5") -> None:
        self.messages: list[MQTTMessage] = []
        self._numbers = itertools.count(1)
        self._ready = threading.Event()
        version = MQTTv5 if protocol == "5" else MQTTv311
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"p-{uuid.uuid4()}", protocol=version)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _, __, message: self.messages.append(message)
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("#", 0)
        self._client.loop_start()
        assert self._ready.wait(PATIENCE_S)

    def publish(self, leaf: str, body: Any, *, retain: bool = False, **properties: Any) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = None
        if properties:
            given = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            for name, value in properties.items():
                setattr(given, name, value)
        self._client.publish(f"{PREFIX}/{leaf}", payload, 1, retain, given).wait_for_publish(PATIENCE_S)

    def order(self, command: str, request_id: str = "", expires: str = "", **args: Any) -> dict[str, Any]:
        """Order, and wait for the final reply."""
        request_id = request_id or f"r{next(self._numbers)}"
        before = len(self.replies(request_id))
        self.publish(f"cmd/{request_id}", {"command": command, "expires_at": expires or soon(), "args": args})
        wait_until(lambda: len(self.replies(request_id)) > before, what=f"a reply to {command}")
        return self.replies(request_id)[-1]

    def replies(self, request_id: str) -> list[dict[str, Any]]:
        """Those that end an order."""
        return [body for body in self.bodies(f"{PREFIX}/reply/{request_id}") if body["ok"] is not None]

    def set_roster(self, body: Any, dataset: str = "holders") -> dict[str, Any]:
        topic = f"{PREFIX}/roster/{dataset}/ack"
        before = len(self.acks(topic))
        self.publish(f"roster/{dataset}/set", body)
        wait_until(lambda: len(self.acks(topic)) > before, what="an ack of the roster")
        return self.acks(topic)[-1]

    def acks(self, topic: str) -> list[dict[str, Any]]:
        return [body for body in self.bodies(topic) if body["ok"] is not None]

    def bodies(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(message.payload) for message in list(self.messages) if message.topic == topic]

    def events(self, pattern: str) -> list[dict[str, Any]]:
        found = [json.loads(message.payload) for message in list(self.messages) if "/event/" in message.topic]
        return [event for event in found if pattern in event["type"]]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


__all__ = ["ALL", "CARD", "EVERYTHING", "PREFIX", "Gateway", "Platform", "soon"]
