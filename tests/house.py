"""The daemon as a process, with a configuration, a roster and readers on pseudo-terminals: for tests from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tty
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.errors import Unreachable
from gateway.status_socket import ask
from tests.real import PATIENCE_S, Mosquitto, wait_until

HEAD = """\
[site]
compound_id = "fenglinwan"
name = "枫林湾小区"
language = "en"

[gateway]
id = "box-1"
data_dir = "data"
"""

DOOR = """
[points.east-door]
name = "东门人行1"
kind = "pedestrian"
direction = "in"
actuator = "east-relay"

[readers.east-reader]
driver = "rdm6300"
port = "{port}"
point = "east-door"
hold_s = 0

[actuators.east-relay]
driver = "log"
"""

GATE = """
[points.gate]
name = "东门车行"
kind = "vehicle"
direction = "in"

[cameras.gate-cam]
point = "gate"
recognise = ["plate"]
{camera}
"""

UPLINK = """
[uplinks.city]
host = "127.0.0.1"
port = {port}
"""

ROSTER = (
    "holder_id,name,kind,category,room,cards,plates,points,valid_from,valid_until\n"
    "r-0502,甲,resident,owner,3-1-0502,em4100:62E3086CED,鄂J12345,*,,\n"
)


KNOWN = bytes.fromhex("62E3086CED")  # the card of that roster


class SerialLine:
    """A pseudo-terminal that outlives the daemon: `path` is what the configuration names."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)

    def present(self, number: bytes) -> None:
        os.write(self.master, self.frame(number))

    @staticmethod
    def frame(number: bytes) -> bytes:
        """What an RDM6300 sends for five bytes."""
        check = 0
        for byte in number:
            check ^= byte
        return b"\x02" + (number + bytes([check])).hex().upper().encode() + b"\x03"

    def close(self) -> None:
        os.close(self.master)
        os.close(self._slave)


class House:
    """`compound-gateway run` in a process of its own."""

    def __init__(self, folder: Path, config: str) -> None:
        self.folder = folder
        self.config = folder / "gateway.toml"
        self.config.write_text(config, encoding="utf-8")
        self.environment: dict[str, str] = {}  # beside our own
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str, code: int = 0) -> str:
        """Run one command; fails where its exit code is another. What it said, on both streams."""
        done = self._run(words, code)
        return done.stdout + done.stderr

    def _run(self, words: tuple[str, ...], code: int = 0) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "gateway", *words, "--config", str(self.config)]
        done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", check=False, cwd=self.folder)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self) -> None:
        log = (self.folder / "daemon.log").open("ab")
        line = [sys.executable, "-m", "gateway", "run", "--config", str(self.config)]
        self._process = subprocess.Popen(line, stdout=log, stderr=log, env={**os.environ, **self.environment})
        log.close()

    def wait_online(self, kind: str) -> None:
        """Until every device of a kind is on line."""

        def online() -> bool:
            found = [device["status"] for device in self.status()["devices"] if device["kind"] == kind]
            return bool(found) and all(status == "online" for status in found)

        wait_until(online, what=f"every {kind} on line, see {self.folder}/daemon.log")

    def status(self) -> dict[str, Any]:
        """The daemon's status; without devices while none answers."""
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "daemon.log").read_text(encoding="utf-8")
        try:
            return ask(self.folder / "data", PATIENCE_S)
        except (Unreachable, OSError):
            return {"devices": [], "vision": {}}

    def kept(self, kind: str) -> int:
        """How many events of a class its journal holds."""
        return int(self.status().get("journal", {}).get("classes", {}).get(kind, 0))

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT …"""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def hang_up(self) -> None:
        """SIGHUP: read the file again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(PATIENCE_S)

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text(encoding="utf-8")

    def events(self) -> list[dict[str, Any]]:
        """The journal, by the public command."""
        return [json.loads(line) for line in self._run(("events", "--json")).stdout.splitlines()]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


class Subscriber:
    """An independent subscriber with a durable session, MQTT 5."""

    def __init__(self, port: int, topics: Sequence[str] = ("compound/#",)) -> None:
        self.messages: list[tuple[str, Any, bool]] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="platform", protocol=mqtt.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
        self._client.on_message = self._on_message
        self._ready = False
        self._client.on_subscribe = self._on_subscribe
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        wait_until(lambda: self._ready, what="the subscription")

    def _on_subscribe(self, *_: Any) -> None:
        self._ready = True

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.messages.append((message.topic, json.loads(message.payload), message.retain))

    def events(self, pattern: str = "") -> list[dict[str, Any]]:
        """CloudEvents whose type contains `pattern`, in the order of their arrival."""
        return [body for topic, body, _ in list(self.messages) if "/event/" in topic and pattern in body["type"]]

    def last(self, leaf: str) -> Any:
        """The newest message on a topic that ends so."""
        return next((body for topic, body, _ in reversed(list(self.messages)) if topic.endswith(leaf)), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def door_house(folder: Path, line: SerialLine, broker: Mosquitto, more: str = "") -> House:
    config = HEAD + DOOR.format(port=line.path) + UPLINK.format(port=broker.port) + more
    house = House(folder, config)
    (folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
    house.command("roster", "import", str(folder / "roster.csv"))
    return house


def prove_complete(events: list[dict[str, Any]]) -> None:
    """No gap, no event under two ids, no id under two sequences; `previous` tells the same."""
    by_sequence: dict[int, set[str]] = {}
    for event in events:
        by_sequence.setdefault(event["sequence"], set()).add(event["id"])
    assert all(len(ids) == 1 for ids in by_sequence.values())
    assert sorted(by_sequence) == list(range(1, max(by_sequence) + 1))
    assert len({event["id"] for event in events}) == len(by_sequence)
    assert all(event["previous"] == event["sequence"] - 1 for event in events)
