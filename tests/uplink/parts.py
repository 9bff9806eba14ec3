"""Real parts for the uplink's tests: a subscriber, a wire that can fail, a gateway's worth of objects, certificates."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from gateway.board import Board
from gateway.cloudevent import Identity
from gateway.journal import Journal
from gateway.keys import Keys
from gateway.settings import Uplink as Options
from gateway.types import EventClass
from gateway.uplink import Uplink
from tests.facts import BOOT
from tests.real import PATIENCE_S, free_port, wait_until
from tests.running import running

ZONE = ZoneInfo("Asia/Shanghai")
ALL = list(EventClass)
PREFIX = "compound/v1/fenglinwan/box-1"


class Subscriber:
    """Everything that arrives, in order. QoS 0: the broker hands a message on before it acknowledges it."""

    def __init__(self, port: int, **login: str) -> None:
        self.messages: list[MQTTMessage] = []
        self.connects = 0
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"test-{uuid.uuid4()}", protocol=MQTTv5)
        if login:
            self._client.username_pw_set(login["username"], login["password"])
        self._client.reconnect_delay_set(0.1, 0.2)
        self._client.on_connect = lambda client, *_: client.subscribe("#", 0)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = lambda _, __, message: self.messages.append(message)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        wait_until(lambda: self.connects, what="the subscriber is on line")

    def _on_subscribe(self, *_: Any) -> None:
        self.connects += 1

    def publish(self, topic: str, body: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, body, 1, retain).wait_for_publish(PATIENCE_S)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(message.payload) for message in list(self.messages) if "/event/" in message.topic]

    def sequences(self) -> list[int]:
        return [event["sequence"] for event in self.events()]

    def last(self, leaf: str) -> dict[str, Any]:
        """The last message under a topic, {} if none came."""
        bodies = [message.payload for message in list(self.messages) if message.topic == f"{PREFIX}/{leaf}"]
        return dict(json.loads(bodies[-1])) if bodies else {}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def subscriber(port: int, **login: str) -> Iterator[Subscriber]:
    one = Subscriber(port, **login)
    try:
        yield one
    finally:
        one.close()


class House:
    """Journal, board and keys of one gateway, and its uplinks' threads."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "data" / "journal.db")
        self.board = Board()
        self.keys = Keys(folder / "data")

    def uplink(self, port: int, name: str = "city", pause: float = 0.5, **options: Any) -> Uplink:
        table = Options(**{"host": "127.0.0.1", "port": port, "keepalive_s": 20, "backlog_rate": 100_000, **options})
        identity = Identity("fenglinwan", "box-1", BOOT, "0.1.0")
        catalog = {"site": {"compound_id": "fenglinwan"}, "points": [], "devices": []}
        around = (identity, self.journal, self.board, self.keys, ZONE, lambda: catalog)
        return Uplink(name, table, *around, shortest_pause=pause, longest_pause=pause)

    def state(self, name: str = "city") -> dict[str, Any]:
        return dict(self.board.facts().get(f"uplink.{name}") or {})

    def is_online(self, name: str = "city") -> bool:
        return bool(self.state(name).get("status") == "online")

    def count(self, what: str, name: str = "city") -> int:
        return self.board.counters().get(f"uplink.{name}.{what}", 0)

    @contextmanager
    def running(self, *uplinks: Uplink) -> Iterator[None]:
        with running(*uplinks):
            yield

    def close(self) -> None:
        self.journal.close()


class Wire:
    """A TCP proxy before a broker: open, refusing, or a hole that swallows everything and says nothing."""

    def __init__(self, upstream: int) -> None:
        self.port = free_port()
        self._upstream = upstream
        self._state = "open"
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def open(self) -> None:
        self._state = "open"

    def swallow(self) -> None:
        """From now on nothing passes, on no connection; all sockets stay open."""
        self._state = "hole"

    def refuse(self) -> None:
        """Cut every connection and take no new one."""
        self._state = "refuse"
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.refuse()
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                if self._state == "refuse":
                    near.close()
                    continue
                try:
                    far = self._reach()
                except OSError:
                    near.close()
                    continue
                self._pairs.append((near, far))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _reach(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._upstream))

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        holed = False  # what fell into the hole is gone: this connection never works again
        with suppress(OSError):
            while data := source.recv(65536):
                holed = holed or self._state == "hole"
                if not holed:
                    self._carry(sink, data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _carry(self, sink: socket.socket, data: bytes) -> None:
        sink.sendall(data)


def certificate(
    folder: Path, name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None, days: int = 1
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make NAME.crt and NAME.key: a CA without `issuer`, else a leaf for 127.0.0.1. `days` < 0: expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=3))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(host, critical=False)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made, key


def assert_complete(platform: Subscriber, last: int) -> None:
    """Every sequence came, each always with the same id and previous; first arrivals of a lane are in order."""
    wait_until(lambda: set(platform.sequences()) == set(range(1, last + 1)), what="every event arrived")
    identities = {(found["sequence"], found["id"], found["previous"]) for found in platform.events()}
    assert len(identities) == last
    assert all(previous == seq - 1 for seq, _, previous in identities)
