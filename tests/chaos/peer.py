"""thingsboard-gateway from PyPI under the same faults: `python -m tests.chaos.peer [SCENARIO …]`, chaos-out/peer.json.

It reads numbered events from a broker of their own (its MQTT connector, QoS 1, with a session that keeps what comes
while it is down), stores them in SQLite and sends them at QoS 1 to a Mosquitto that stands for ThingsBoard.

What it confirms to the source is in its memory only. `accepted` is what a reader of its storage has seen committed, and
all that arrived: the kindest measure, for what it took and never stored is `never stored` and not `lost`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, signal
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.site import ROOT
from tests.chaos import needs
from tests.chaos.compound import DurableMosquitto
from tests.chaos.of_disk import Disk
from tests.chaos.platform import Platform
from tests.chaos.scenario import Plan
from tests.chaos.wire import Wire
from tests.end_to_end.test_bad_disks import fill
from tests.real import wait_until

_OUT = ROOT / "chaos-out"
_GATEWAY = needs.PEER_VENV / "bin" / "thingsboard-gateway"
_BACK_S = 300.0  # longer without anything new, and it did not come back
_QUIET_S, _SETTLE_S = 120.0, 600.0  # its storage empty and nothing new for so long, or all in all: no more will come
_Act = Callable[["Site"], object]
_COLUMNS = ("events", "accepted", "arrived", "twice", "lost", "never stored", "waiting", "back after")
# Its defaults, but for: durable storage, a keepalive as short as ours, nothing that needs a real ThingsBoard.
_SETTINGS = """{
"thingsboard": {"host": "127.0.0.1", "port": SERVER, "keep_alive": 15, "qos": 1, "remoteShell": false,
  "remoteConfiguration": false, "statistics": {"enable": false}, "security": {"accessToken": "b1"}},
"storage": {"type": "sqlite", "data_file_path": "FOLDER/data/"},
"connectors": [{"type": "mqtt", "name": "source", "configuration": "mqtt.json"}]}"""
_SOURCE = """{
"broker": {"host": "127.0.0.1", "port": SOURCE, "clientId": "peer", "version": 5, "cleanStart": false,
  "sessionExpiryInterval": 86400, "keepAlive": 15, "security": {"type": "anonymous"}},
"mapping": [{"topicFilter": "gate", "subscriptionQos": 1, "converter": {"type": "json", "timeout": 60000,
  "deviceInfo": {"deviceNameExpressionSource": "constant", "deviceNameExpression": "gate",
    "deviceProfileExpressionSource": "constant", "deviceProfileExpression": "default"},
  "timeseries": [{"type": "integer", "key": "number", "value": "${number}"}]}}]}"""
# As a ThingsBoard without rate limits says it, and as it lets a gateway read: not what that gateway itself has sent.
_LIMITS = {"maxPayloadSize": 65536, "maxInflightMessages": 100, "rateLimits": {}, "gatewayRateLimits": {}}
_ACL = "topic readwrite #\nuser b1\ntopic write v1/#\ntopic read v1/devices/me/+/response/+\n"


def _numbers(entries: list[Any]) -> list[str]:
    """Of telemetry in ThingsBoard's form."""
    return [str(one["values"]["number"]) for one in entries if "number" in one.get("values", {})]


class Server(Platform):
    """What arrived, by number."""

    def events_in(self, topic: str, body: str) -> list[dict[str, Any]]:
        if topic != "v1/gateway/telemetry":
            return []
        return [{"id": number} for entries in json.loads(body).values() for number in _numbers(entries)]


def _client(port: int, answer_at: str = "") -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.reconnect_delay_set(1, 1)
    if answer_at:
        client.on_connect = lambda client, *_: client.subscribe(answer_at, 1)
        client.on_message = _answer
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def _answer(client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
    """What a gateway asks of a ThingsBoard before it sends: the limits, and its attributes."""
    body = _LIMITS if "/rpc/" in message.topic else {}
    client.publish(message.topic.replace("/request/", "/response/"), json.dumps(body), 1)


def _repeat(pause_s: float, step: Callable[[], None]) -> Callable[[], None]:
    """Do it again and again in a thread, until the function that is returned is called."""
    end = threading.Event()

    def run() -> None:
        while not end.wait(pause_s):
            step()

    def stop() -> None:
        end.set()
        thread.join()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return stop


class Source:
    """Numbered events, each with a millisecond of its own."""

    def __init__(self, port: int) -> None:
        self._client = _client(port)
        self._infos: list[mqtt.MQTTMessageInfo] = []
        self._stop = _repeat(1 / 50, self._publish)

    def _publish(self) -> None:
        body = json.dumps({"ts": int(time.time() * 1000), "number": len(self._infos)})
        self._infos.append(self._client.publish("gate", body, 1))

    def stop(self) -> set[str]:
        """The numbers that the source's broker has acknowledged."""
        self._stop()
        for info in self._infos:
            info.wait_for_publish(30)
        self._client.loop_stop()
        return {str(number) for number, info in enumerate(self._infos) if info.is_published()}


class Storage:
    """Its SQLite file, read 20 times a second: a row that was ever seen there was committed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._last = 0
        self.seen: set[str] = set()
        self.waiting = 0
        self.stop = _repeat(0.05, self._look)

    def _look(self) -> None:
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as base:
            for row, text in base.execute("SELECT id, message FROM messages WHERE id > ?", (self._last,)):
                self.seen.update(_numbers(json.loads(text).get("telemetry", [])))
                self._last = row
            self.waiting = base.execute("SELECT count(*) FROM messages").fetchone()[0]


class Site:
    """The gateway and everything around it; faults of the network hit the wire between it and its server."""

    def __init__(self, folder: Path) -> None:
        """It has subscribed, and the first events have arrived."""
        self.folder = folder
        self._log = folder / "output.log"
        self._backs: list[float] = []
        (acl := folder / "server.acl").write_text(_ACL)
        with ExitStack() as parts:
            source = parts.enter_context(DurableMosquitto(folder / "source-broker"))
            self.broker = parts.enter_context(DurableMosquitto(folder / "server-broker", f"acl_file {acl}"))
            self.wire = Wire(self.broker.ports)
            parts.callback(self.wire.close)
            parts.callback(_client(self.broker.port, "v1/devices/me/+/request/+").loop_stop)
            self.server = Server("server", folder, self.broker.ports, "5", "v1/#")
            parts.callback(self.server.stop)
            self.server.start()
            self._configure(source.port)
            self.start()
            parts.callback(self.kill)
            wait_until(lambda: "subscription success" in self._log.read_text(), 120, f"it subscribes, see {self._log}")
            self.storage = Storage(folder / "data" / "data.db")
            parts.callback(self.storage.stop)
            self.source = Source(source.port)
            parts.callback(self.source.stop)
            wait_until(lambda: self.server.has_new(10), 120, f"first events, see {folder}")
            self.close = parts.pop_all().close

    def _configure(self, source: int) -> None:
        settings = self.folder / "config"
        settings.mkdir()
        (self.folder / "logs").mkdir()
        shutil.copy(next(needs.PEER_VENV.glob("lib/*/site-packages/thingsboard_gateway/config/logs.json")), settings)
        text = _SETTINGS.replace("SERVER", str(self.wire.port)).replace("FOLDER", str(self.folder))
        (settings / "tb_gateway.json").write_text(text)
        (settings / "mqtt.json").write_text(_SOURCE.replace("SOURCE", str(source)))

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": "", "TB_GW_CONFIG_DIR": str(self.folder / "config")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([_GATEWAY], cwd=self.folder, env=environment, stdout=log, stderr=log)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def comes_back(self) -> bool:
        """Wait for the next new event at the server, and note how long that took."""
        self.server.take()
        known, began = len(self.server.ids), time.monotonic()
        with suppress(AssertionError):
            wait_until(lambda: self.server.has_new(known), _BACK_S)
        self._backs.append(time.monotonic() - began)
        return self.server.has_new(known)

    def judge(self) -> dict[str, Any]:
        """The source ends; wait until all has arrived, or no more will; count."""
        sent = self.source.stop()
        began = news = time.monotonic()
        known = 0
        while not sent <= self.server.ids and time.monotonic() < min(began + _SETTLE_S, news + _QUIET_S):
            time.sleep(1.0)
            self.server.take()
            if len(self.server.events) > known or self.storage.waiting:
                known, news = len(self.server.events), time.monotonic()
        arrived = self.server.ids
        accepted = self.storage.seen | arrived
        back = f"{max(self._backs):.1f} s" if max(self._backs) < _BACK_S else "never"
        twice, lost = len(self.server.events) - len(arrived), len(accepted - arrived)
        row = (len(sent), len(accepted), len(arrived), twice, lost, len(sent - accepted), self.storage.waiting, back)
        return dict(zip(_COLUMNS, row, strict=True))


def kill(plan: Plan) -> dict[str, Any]:
    """kill -9 at random points, also while it starts."""
    with closing(Site(plan.folder)) as site:
        for _ in range(plan.kills):
            site.kill()
            site.start()
            if plan.dice.random() < 0.75 and not site.comes_back():
                break
            time.sleep(plan.dice.uniform(0.0, 1.25))
        site.comes_back()
        return site.judge()


def full_disk(plan: Plan) -> dict[str, Any]:
    """Not a byte free for 45 s on the disk of its storage, with the server in reach."""
    disk = Disk(plan.folder, 64)
    disk.mount()
    ballast = disk.place / "ballast"
    try:
        return _harm(plan, 45, lambda _: fill(ballast), lambda _: ballast.unlink())
    finally:
        disk.unmount("-l")


def _harm(plan: Plan, seconds: float, begin: _Act, end: _Act, times: int = 1) -> dict[str, Any]:
    with closing(Site(plan.folder)) as site:
        for _ in range(times):
            time.sleep(3.0)
            begin(site)
            time.sleep(seconds)
            end(site)
            site.comes_back()
        return site.judge()


_SCENARIOS: dict[str, Callable[[Plan], dict[str, Any]]] = {
    "kill": kill,
    "broker-killed": lambda plan: _harm(plan, 10, lambda at: at.broker.stop(SIGKILL), lambda at: at.broker.start(), 3),
    "broker-frozen": lambda plan: _harm(
        plan, 45, lambda at: at.broker.signal(SIGSTOP), lambda at: at.broker.signal(SIGCONT)
    ),
    "black-hole": lambda plan: _harm(plan, 25, lambda at: at.wire.swallow(), lambda at: at.wire.open()),
    "outage": lambda plan: _harm(plan, 600 * plan.scale, lambda at: at.wire.refuse(), lambda at: at.wire.open()),
    "full-disk": full_disk,
}


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.peer", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=["all", *_SCENARIOS], default="all")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--scale", type=float, default=1.0, help="shorten the outage of 10 minutes: 0.1 is a minute")
    asked = parser.parse_args(words)
    signal(SIGTERM, lambda *_: sys.exit(1))
    names = list(_SCENARIOS) if "all" in asked.scenarios else asked.scenarios
    wanted = needs.DISK if "full-disk" in names else ("mosquitto",)
    if missing := needs.missing([wanted]) or needs.install(needs.PEER, needs.PEER_VENV):
        print(missing, file=sys.stderr)
        return 1
    print("|", *(f"{head} |" for head in ("scenario", *_COLUMNS)))
    rows: dict[str, dict[str, Any]] = {}
    for name in names:
        folder = _OUT / f"peer-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        row = rows[name] = _SCENARIOS[name](Plan(folder, asked.kills, asked.scale, random.Random()))
        print("|", name, *(f"| {row[head]}" for head in _COLUMNS), "|", flush=True)
        (_OUT / "peer.json").write_text(json.dumps({"scale": asked.scale, "scenarios": rows}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
