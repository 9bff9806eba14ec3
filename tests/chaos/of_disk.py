"""The disk is full, read-only, hangs, forgets what was not synced, or damages the file."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.compound import Compound
from tests.chaos.needs import DISK
from tests.chaos.scenario import Outcome, Plan, Scenario, judge
from tests.end_to_end.test_bad_disks import fill
from tests.real import wait_until

_SMALL = '\n[journal]\nmin_free = "1MiB"\n'
_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_NO_LOG_FLUSH = 2  # as if the power went: not even the file system's journal is written
_PAGE = 4096


class Disk:
    """An ext4 file system in a file, mounted where the daemon keeps its data."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._image = folder / "disk.img"
        self.place = folder / "data"
        self.place.mkdir(exist_ok=True)
        with self._image.open("wb") as file:
            file.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))

    def mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.place))

    def unmount(self, *how: str) -> None:
        _run("umount", *how, str(self.place))

    def remount(self, way: str) -> None:
        _run("mount", "-o", f"remount,{way}", str(self.place))

    def cut_power(self) -> None:
        """Nothing that is not on the disk yet will ever be."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)


@contextmanager
def _disk(plan: Plan, megabytes: int) -> Iterator[Disk]:
    disk = Disk(plan.folder, megabytes)
    disk.mount()
    try:
        yield disk
    finally:
        disk.unmount("-l")


def full(plan: Plan) -> Outcome:
    """Full to the last byte for 45 s; the events of that time wait in memory."""
    with _disk(plan, 64) as disk, Compound(plan.folder, more=_SMALL) as compound:
        ballast = disk.place / "ballast"
        fill(ballast)
        wait_until(lambda: "EVENTS CANNOT BE KEPT" in compound.house.log(), 60, "the disk is full")
        time.sleep(plan.seconds(45))
        ballast.unlink()
        back = compound.until_new_at(compound.city)
        return Outcome(judge(compound), [back], compound.door.waits)


def read_only(plan: Plan) -> Outcome:
    """Read-only from the start for 20 s."""
    with _disk(plan, 64) as disk, Compound(plan.folder, more=_SMALL) as compound:
        time.sleep(2.0)
        with compound.rest():
            compound.house.stop()
            compound.witness.stop()
            disk.remount("ro")
            compound.start_house()
        time.sleep(plan.seconds(20))
        disk.remount("rw")
        back = compound.until_new_at(compound.city)
        said = "THE JOURNAL CANNOT BE OPENED" in compound.house.log()
        faults = [] if said else ["the daemon did not say that it cannot open its journal"]
        return Outcome(judge(compound), [back], compound.door.waits, faults=faults)


def hanging(plan: Plan) -> Outcome:
    """Every write hangs for 20 s (fsfreeze), as a card that collects its garbage does."""
    with _disk(plan, 64) as disk, Compound(plan.folder, more=_SMALL) as compound:
        time.sleep(2.0)
        _run("fsfreeze", "--freeze", str(disk.place))
        try:
            time.sleep(plan.seconds(20))
        finally:
            _run("fsfreeze", "--unfreeze", str(disk.place))
        back = compound.until_new_at(compound.city)
        return Outcome(judge(compound), [back], compound.door.waits)


def power_cut(plan: Plan) -> Outcome:
    """The power goes in the middle of the rush, a tenth as often as kills are asked for."""
    returns = []
    cuts = max(3, plan.kills // 10)
    with _disk(plan, 256) as disk, Compound(plan.folder, more=_SMALL) as compound:
        for _ in range(cuts):
            time.sleep(plan.dice.uniform(1.0, 3.0))
            disk.cut_power()
            compound.witness.stop()
            compound.house.kill()
            disk.unmount()
            disk.mount()
            compound.house.start()
            returns.append(compound.until_new_at(compound.city))
            compound.witness.start()
        return Outcome(judge(compound), returns, may_drop=True, notes=[f"{cuts} cuts"])


def damaged_header(plan: Plan) -> Outcome:
    """The first 100 bytes of the journal's file are overwritten while 10 s of events wait."""
    return _damage(plan, lambda file: _overwrite(file, 0, 100))


def damaged_page(plan: Plan) -> Outcome:
    """A page in the middle of the journal's file is overwritten while 10 s of events wait."""
    return _damage(plan, lambda file: _overwrite(file, file.stat().st_size // 2 // _PAGE * _PAGE, _PAGE))


def _damage(plan: Plan, harm: Callable[[Path], None]) -> Outcome:
    with Compound(plan.folder) as compound:
        time.sleep(2.0)
        compound.wire.refuse()
        time.sleep(10.0)
        with compound.rest():
            wait_until(compound.street_has_all, 20, "the street has everything")
            compound.witness.stop()
            compound.house.stop()
            compound.witness.note(compound.house.events())  # the last to close the file: all rows lie in it
            harm(plan.folder / "data" / "journal" / "journal.db")
            compound.start_house()
        compound.wire.open()
        back = compound.until_new_at(compound.city)
        compound.witness.start()
        faults = [] if "journal is damaged" in compound.house.log() else ["the damage was not noticed"]
        return Outcome(judge(compound), [back], compound.door.waits, faults=faults)


def _overwrite(file: Path, at: int, size: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(b"\xa5" * size)


def _run(program: str, *words: str) -> None:
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{program} {' '.join(words)}: {done.stderr.strip()}")


SCENARIOS = {
    "full-disk": Scenario(full, DISK),
    "read-only-disk": Scenario(read_only, DISK),
    "hanging-disk": Scenario(hanging, DISK),
    "power-cut": Scenario(power_cut, DISK),
    "damaged-header": Scenario(damaged_header),
    "damaged-page": Scenario(damaged_page),
}
