"""Promise 2 under attack: every event at least once, same id, same sequence, in order within its lane."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from gateway.errors import StoreError
from gateway.uplink import Order, conversation
from tests.facts import BOOT, event
from tests.real import Mosquitto, free_port, wait_until
from tests.uplink.parts import ALL, PREFIX, House, Subscriber, Wire, subscriber


@pytest.fixture
def wire(broker: Mosquitto) -> Iterator[Wire]:
    wire = Wire(broker.port)
    yield wire
    wire.close()


def assert_complete(platform: Subscriber, last: int) -> None:
    """Every sequence came, each always with the same id and previous; first arrivals of a lane are in order."""
    wait_until(lambda: set(platform.sequences()) == set(range(1, last + 1)), 20, "every event arrived")
    identities = {(found["sequence"], found["id"], found["previous"]) for found in platform.events()}
    assert len(identities) == last
    assert all(previous == seq - 1 for seq, _, previous in identities)


def test_who_is_killed_soon_sends_little_again(
    house: House, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before a second is over, what a burst has passed is written down."""
    monkeypatch.setattr(conversation, "_SAVE_EVERY", 1e6)
    house.journal.append([event(number) for number in range(600)], BOOT)
    with subscriber(broker.port) as platform, house.running(house.uplink(broker.port, backlog_rate=100_000.0)):
        wait_until(lambda: len(platform.events()) == 600)
        wait_until(lambda: house.journal.pending("city", ALL).count <= 600 - 2 * conversation._SAVE_AFTER)


class Traffic:
    """Appends an event every few milliseconds until the end."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(0.004):
            number += 1
            self._house.journal.append([event(number, "alarm.tamper" if number % 50 == 0 else "access.granted")], BOOT)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_killed_in_the_middle(house: House, broker: Mosquitto, wire: Wire, protocol: str) -> None:
    uplink = house.uplink(wire.port, protocol=protocol)
    with subscriber(broker.port) as platform, house.running(uplink):
        with Traffic(house):
            wait_until(lambda: len(platform.events()) > 50)
            broker.stop(signal.SIGKILL)
            wire.refuse()
            wait_until(lambda: not house.is_online())
            broker.start()
            wait_until(lambda: platform.connects == 2, what="the platform is back before the gateway")
            wire.open()
            wait_until(lambda: len(set(platform.sequences())) > 200)
        assert_complete(platform, house.journal.last_seq)
        assert any(found["replay"] for found in platform.events())
        wait_until(lambda: house.journal.pending("city", ALL).count == 0)
        assert platform.last("status")["status"] == "online"


def test_a_hole_that_swallows_everything_and_keeps_its_socket_open(house: House, broker: Mosquitto, wire: Wire) -> None:
    with subscriber(broker.port) as platform, house.running(house.uplink(wire.port)):
        with Traffic(house):
            wait_until(lambda: len(platform.events()) > 50)
            wire.swallow()
            wait_until(lambda: not house.is_online(), 10, "no PUBACK for twice the keepalive")
            wire.open()
            wait_until(house.is_online)
            time.sleep(0.2)
        assert_complete(platform, house.journal.last_seq)


class Forgetful(Wire):
    """Loses the answer to one message, once."""

    def __init__(self, upstream: int, number: int) -> None:
        self._lost = b"\x40\x02" + number.to_bytes(2)
        self.has_forgotten = False
        super().__init__(upstream)

    def _carry(self, sink: socket.socket, data: bytes) -> None:
        if not self.has_forgotten and self._lost in data:
            self.has_forgotten = True
            data = data.replace(self._lost, b"", 1)
        sink.sendall(data)


def test_one_message_that_is_never_answered_is_sent_again_though_others_are(house: House, broker: Mosquitto) -> None:
    wire = Forgetful(broker.port, 5)  # the catalog, the status, and then the third event
    house.journal.append([event(number) for number in range(6)], BOOT)
    with subscriber(broker.port) as platform, house.running(house.uplink(wire.port)), Traffic(house):
        wait_until(lambda: wire.has_forgotten)
        wait_until(lambda: platform.sequences().count(3) == 2, 15)
        assert house.count("connects") == 2
    wire.close()


def test_a_rest_between_events_ends_no_connection(house: House, broker: Mosquitto) -> None:
    """Nobody owes an answer meanwhile, however long ago the last one came."""
    with subscriber(broker.port) as platform, house.running(house.uplink(broker.port, keepalive_s=2)):
        wait_until(house.is_online)
        for number, rest in enumerate((0.5, 0.5, 4.5), 1):  # 4 s without an answer would be too long
            house.journal.append([event(number)], BOOT)
            wait_until(lambda number=number: number in platform.sequences())  # type: ignore[misc]
            time.sleep(rest)
        house.journal.append([event(4)], BOOT)
        wait_until(lambda: 4 in platform.sequences())
        time.sleep(0.5)
        assert house.is_online()
        assert house.count("connects") == 1


def test_a_frozen_broker_is_left_and_found_again(house: House, broker: Mosquitto) -> None:
    with subscriber(broker.port) as platform, house.running(house.uplink(broker.port)):
        with Traffic(house):
            wait_until(lambda: len(platform.events()) > 50)
            broker.signal(signal.SIGSTOP)
            wait_until(lambda: not house.is_online(), 10)
            broker.signal(signal.SIGCONT)
            wait_until(house.is_online, 15)
        assert_complete(platform, house.journal.last_seq)


def test_cuts_every_few_moments_lose_nothing_and_leave_few_cursors(house: House, broker: Mosquitto, wire: Wire) -> None:
    with subscriber(broker.port) as platform, house.running(house.uplink(wire.port, backlog_rate=300.0)):
        with Traffic(house):
            for _ in range(6):
                wait_until(house.is_online)
                time.sleep(0.1)
                wire.refuse()
                wait_until(lambda: not house.is_online())
                wire.open()
        assert_complete(platform, house.journal.last_seq)
        wait_until(lambda: sum(cursor.after != cursor.upto for cursor in house.journal.cursors("city")) == 2)


def test_a_stop_during_an_outage_is_quick_and_keeps_the_place(house: House, broker: Mosquitto, wire: Wire) -> None:
    house.journal.append([event(n) for n in range(30)], BOOT)
    with subscriber(broker.port) as platform:
        with house.running(house.uplink(wire.port)):
            wait_until(lambda: house.journal.pending("city", ALL).count == 0)
            wire.swallow()
            house.journal.append([event(30)], BOOT)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        wire.open()
        platform.messages.clear()
        with house.running(house.uplink(wire.port)):
            wait_until(lambda: platform.sequences() == [31])


_GATEWAY = """
import sys, threading
from pathlib import Path
from gateway.recorder import Recorder
from tests.facts import BOOT, event
from tests.uplink.parts import House
house = House(Path(sys.argv[1]))
recorder = Recorder(house.journal, house.board, boot=BOOT)
stop = threading.Event()
for part in (recorder, house.uplink(int(sys.argv[2]))):
    threading.Thread(target=part.run, args=(stop,), daemon=True).start()
number = 0
while not stop.wait(0.002):
    number += 1
    recorder.record(event(number), lambda number=number: print(number, flush=True))
"""


def test_a_gateway_killed_in_the_middle_loses_nothing_it_accepted(tmp_path: Path, broker: Mosquitto) -> None:
    accepted = 0
    with subscriber(broker.port) as platform:
        for _ in range(3):
            process = subprocess.Popen(
                [sys.executable, "-c", _GATEWAY, str(tmp_path / "gateway"), str(broker.port)],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            seen = len(platform.events())
            accepted += sum(bool(process.stdout.readline()) for _ in range(100))
            wait_until(lambda seen=seen: len(platform.events()) > seen + 30)  # type: ignore[misc]
            process.kill()
            accepted += len(process.stdout.read().splitlines())
            process.wait(10)
        house = House(tmp_path / "gateway")
        with house.running(house.uplink(broker.port)):
            assert_complete(platform, house.journal.last_seq)
        assert house.journal.last_seq >= accepted
        house.close()


def test_a_disk_that_refuses_cursors_does_not_stop_delivery(
    house: House, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    uplink = house.uplink(broker.port)
    monkeypatch.setattr(house.journal, "save_cursors", refuse)
    with subscriber(broker.port) as platform:
        with house.running(uplink):
            wait_until(house.is_online)
            house.journal.append([event(n) for n in range(50)], BOOT)
            wait_until(lambda: len(platform.events()) == 50)
            wait_until(lambda: house.count("unsaved"))
            assert house.is_online()
        monkeypatch.undo()
        with house.running(house.uplink(broker.port)):
            wait_until(lambda: len(platform.events()) == 100)  # nothing was remembered, so everything again
        assert_complete(platform, 50)


def test_no_threads_or_files_are_left_behind_by_many_failures(house: House) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    uplink = house.uplink(1)
    with house.running(uplink):
        wait_until(lambda: "refused" in str(house.state().get("reason")))
        files = open_files()
        threads = threading.active_count()
        time.sleep(1)
        assert threading.active_count() <= threads + 1
        assert open_files() <= files + 4


def test_an_order_that_comes_during_the_goodbye_is_taken_up(house: House) -> None:
    """It has our PUBACK, so that somebody must answer it."""
    taken: list[Order] = []
    order = bytes([0x32, 52, 0, 46]) + f"{PREFIX}/cmd/1".ljust(46, "0").encode() + bytes([0, 7, 0]) + b"!"
    with socket.create_server(("127.0.0.1", 0)) as server:
        uplink = house.uplink(server.getsockname()[1])
        uplink._around = replace(uplink._around, obey=taken.append)
        with house.running(uplink):
            broker, _ = server.accept()
            broker.sendall(bytes([0x20, 3, 0, 0, 0]))
            wait_until(house.is_online)  # and waits for the PUBACK of its catalog, at the stop too
            threading.Timer(0.7, broker.sendall, [order]).start()
        broker.close()
    assert [one.leaf[:5] for one in taken] == ["cmd/1"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_stolen_client_id_is_won_back_and_named(house: House, broker: Mosquitto, protocol: str) -> None:
    """Another client connects again and again under the gateway's name; every event arrives all the same."""
    stolen = Client(CallbackAPIVersion.VERSION2, client_id="fenglinwan-box-1-city", protocol=MQTTv5)
    with subscriber(broker.port) as platform, house.running(house.uplink(broker.port, protocol=protocol)):
        with Traffic(house):
            for theft in range(3):
                wait_until(house.is_online)
                stolen.connect("127.0.0.1", broker.port)
                wait_until(lambda theft=theft: house.count("connects") == theft + 2)  # type: ignore[misc]
            time.sleep(0.2)
        assert_complete(platform, house.journal.last_seq)
        stolen.connect("127.0.0.1", broker.port)
        wait_until(lambda: not house.is_online())
        assert "same gateway.id" in house.state()["hint"]


CONNACK = bytes([0x20, 0x03, 0x00, 0x00, 0x00])
GARBAGE = [
    bytes([0x20, 0x09, 0x00, 0x00, 0x06, 0xFF, 1, 2, 3, 4, 5]),  # a property that MQTT does not know
    CONNACK + bytes([0x30, 0x06, 0x00, 0x02, 0xFF, 0xFE, 0x00, 0x41]),  # a topic that is not UTF-8
    CONNACK + bytes([0x30, 0x02, 0xFF, 0xFF]),  # a topic longer than its packet
    CONNACK + bytes([0x40, 0x01, 0x00]),  # half a PUBACK
    CONNACK + bytes([0x90, 0x03, 0x00, 0x01, 0xEE]),  # a SUBACK whose properties are cut off
    CONNACK + bytes([0xF0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),  # a length without end
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    *(CONNACK + random.Random(seed).randbytes(40) for seed in range(8)),
]


def test_bytes_that_are_no_mqtt_end_one_connection_and_nothing_else(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any exception that ends a thread would end the daemon, doors and all."""
    ended: list[object] = []
    monkeypatch.setattr(threading, "excepthook", ended.append)
    house.journal.append([event(1)], BOOT)
    port = free_port()
    with house.running(house.uplink(port, pause=0.02)):
        with socket.create_server(("127.0.0.1", port)) as liar:
            for answer in GARBAGE:
                caller, _ = liar.accept()
                with caller, suppress(OSError):
                    caller.recv(4096)
                    caller.sendall(answer)
                    caller.settimeout(0.2)
                    while caller.recv(4096):
                        pass
        with Mosquitto(tmp_path / "broker", port=port) as broker, subscriber(broker.port) as platform:
            house.journal.append([event(2)], BOOT)  # the first may have been delivered before anybody listened
            wait_until(lambda: 2 in platform.sequences(), 20)
            wait_until(lambda: house.journal.pending("city", ALL).count == 0)
    assert not ended


def test_a_platform_that_hangs_holds_up_no_other_and_no_event(house: House, broker: Mosquitto, wire: Wire) -> None:
    """Its window is full and nothing comes back; the other platform has each event within a second."""
    with subscriber(broker.port) as platform:
        slow, quick = house.uplink(wire.port, "slow", keepalive_s=20), house.uplink(broker.port, "quick")
        with house.running(slow, quick):
            wait_until(lambda: house.is_online("slow") and house.is_online("quick"))
            wire.swallow()
            for number in range(100):
                house.journal.append([event(number)], BOOT)
            assert house.is_online("slow")
            wait_until(lambda: set(platform.sequences()) == set(range(1, 101)), 2, "the other has them all")
            wait_until(lambda: house.journal.pending("quick", ALL).count == 0)
            assert house.journal.pending("slow", ALL).count == 100
