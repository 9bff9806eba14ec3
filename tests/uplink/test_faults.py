"""Promise 2 under attack: every event at least once, same id, same sequence, in order within its lane."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import StoreError
from tests.facts import BOOT, event
from tests.real import Mosquitto, wait_until
from tests.uplink.parts import ALL, House, Subscriber, Wire, subscriber


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
        wait_until(lambda: len(house.journal.cursors("city")) == 2)


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
