"""Doors go on whatever the disk does, and nothing is accepted that was not written."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import DOOR, HEAD, KNOWN, ROSTER, UPLINK, House, SerialLine, Subscriber
from tests.real import Mosquitto, wait_until
from tests.standstill import awake

ON = bytes.fromhex("A00101A2")

RELAY_DOOR = DOOR.replace('driver = "log"', 'driver = "lcus1"\nport = "{relay}"')


class Door:
    """A reader, a relay on a second line, and the house between them, on a small disk of its own."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.reader, self.relay = SerialLine(), SerialLine()
        os.set_blocking(self.relay.master, False)
        self.disk = folder / "data"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(self.disk)], check=True)
        wires = RELAY_DOOR.format(port=self.reader.path, relay=self.relay.path)
        self.house = House(folder, HEAD + wires + UPLINK.format(port=broker.port))
        (folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
        self.house.command("roster", "import", str(folder / "roster.csv"))

    def opens(self) -> bool:
        """Present the resident's card; whether the relay is told to switch on within a second."""
        self._orders()
        self.reader.present(KNOWN)
        deadline = awake() + 1.0
        said = b""
        while ON not in said and awake() < deadline:
            said += self._orders()
            time.sleep(0.01)
        return ON in said

    def _orders(self) -> bytes:
        try:
            return os.read(self.relay.master, 4096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.disk)], check=False)
        self.reader.close()
        self.relay.close()


def fill(path: Path) -> None:
    """Write until the disk is full to the last block."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


@pytest.fixture
def door(tmp_path: Path, broker: Mosquitto) -> Iterator[Door]:
    if os.geteuid() != 0:
        pytest.skip("mounting a disk of one's own needs root")
    made = Door(tmp_path, broker)
    yield made
    made.close()


def test_a_disk_that_is_full_opens_doors_and_tells_later(door: Door, broker: Mosquitto) -> None:
    with Subscriber(broker.port) as platform, door.house:
        door.house.wait_online("reader")
        wait_until(lambda: "events" in door.house.status().get("journal", {}), what="the journal is open")
        ballast = door.disk / "ballast"
        fill(ballast)
        presented = 0
        while "EVENTS CANNOT BE KEPT" not in door.house.log() and presented < 1000:
            assert door.opens()
            presented += 1
        assert "EVENTS CANNOT BE KEPT" in door.house.log()
        assert all(door.opens() for _ in range(5))
        ballast.unlink()
        wait_until(lambda: len(platform.events("access.granted")) == presented + 5, what="what waited in memory")
        wait_until(lambda: platform.events("alarm.journal_unwritable"))
        assert door.house.stop() == 0


def test_a_disk_that_is_read_only_from_the_start_opens_doors(door: Door) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(door.disk)], check=True)
    with door.house:
        wait_until(lambda: "reader east-reader is online" in door.house.log())
        wait_until(lambda: "actuator east-relay is online" in door.house.log())
        assert door.opens()
        wait_until(lambda: "THE JOURNAL CANNOT BE OPENED" in door.house.log())
        subprocess.run(["mount", "-o", "remount,rw", str(door.disk)], check=True)
        wait_until(lambda: len([one for one in door.house.events() if "granted" in one["type"]]) == 1)
        assert door.house.stop() == 0


def test_a_second_daemon_on_the_same_folder_is_refused(door: Door) -> None:
    with door.house:
        door.house.wait_online("reader")
        said = door.house.command("run", code=1)
        assert "another gateway uses" in said
        assert door.house.status()["devices"]  # the first still answers
        assert door.opens()
