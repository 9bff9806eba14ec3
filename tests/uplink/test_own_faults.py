"""Promise 2 where the gateway itself is killed, stopped, or cannot write down how far it came."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.uplink import Order, conversation
from tests.facts import BOOT, event
from tests.real import PATIENCE_S, Mosquitto, wait_until
from tests.standstill import awake
from tests.uplink.parts import ALL, PREFIX, House, Wire, assert_complete, subscriber


def test_who_is_killed_soon_sends_little_again(
    house: House, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before a second is over, what a burst has passed is written down."""
    monkeypatch.setattr(conversation, "_SAVE_EVERY", 1e6)
    house.journal.append([event(number) for number in range(600)], BOOT)
    with subscriber(broker.port) as platform, house.running(house.uplink(broker.port, backlog_rate=100_000.0)):
        wait_until(lambda: len(platform.events()) == 600)
        wait_until(lambda: house.journal.pending("city", ALL).count <= 600 - 2 * conversation._SAVE_AFTER)


def test_a_stop_during_an_outage_is_quick_and_keeps_the_place(house: House, broker: Mosquitto, wire: Wire) -> None:
    house.journal.append([event(n) for n in range(30)], BOOT)
    with subscriber(broker.port) as platform:
        with house.running(house.uplink(wire.port)):
            wait_until(lambda: house.journal.pending("city", ALL).count == 0)
            wire.swallow()
            house.journal.append([event(30)], BOOT)
            began = awake()
        assert awake() - began < 5
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
            process.wait(PATIENCE_S)
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
