"""Promise 2 under attack from without: every event at least once, same id, same sequence, in order within its lane."""

from __future__ import annotations

import random
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from tests.facts import BOOT, event
from tests.real import PATIENCE_S, Mosquitto, free_port, wait_until
from tests.uplink.parts import ALL, House, Wire, assert_complete, subscriber


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
        self._thread.join(PATIENCE_S)


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
    with subscriber(broker.port) as platform, house.running(house.uplink(wire.port, keepalive_s=2)):
        with Traffic(house):
            wait_until(lambda: len(platform.events()) > 50)
            wire.swallow()
            wait_until(lambda: not house.is_online(), what="no PUBACK for twice the keepalive")
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
    with subscriber(broker.port) as platform, house.running(house.uplink(wire.port, keepalive_s=2)):
        wait_until(lambda: wire.has_forgotten)
        with Traffic(house):  # not before: what is new overtakes what waited, and would have that number
            wait_until(lambda: platform.sequences().count(3) >= 2)
        assert house.count("connects") >= 2
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
    with subscriber(broker.port) as platform, house.running(house.uplink(broker.port, keepalive_s=2)):
        with Traffic(house):
            wait_until(lambda: len(platform.events()) > 50)
            broker.signal(signal.SIGSTOP)
            wait_until(lambda: not house.is_online())
            broker.signal(signal.SIGCONT)
            wait_until(house.is_online)
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
            wait_until(lambda: 2 in platform.sequences())
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
            wait_until(lambda: set(platform.sequences()) == set(range(1, 101)), 15, "the other has them all")
            wait_until(lambda: house.journal.pending("quick", ALL).count == 0)
            assert house.is_online("slow")  # it hangs, and has not been given up
            assert house.journal.pending("slow", ALL).count == 100
