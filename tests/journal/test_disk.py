"""A full disk, one without power, and none at all: what was accepted stays, and what cannot be kept is refused."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.journal import Journal
from tests.facts import BOOT, event
from tests.journal.parts import ALL, COUNT, fill, overwrite, rows_of
from tests.real import needed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB where we may mount one, else the folder of a journal that is held to 2 MB of pages."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, check=False).returncode == 0
    yield folder
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_what_it_cannot_keep_and_recovers(small_disk: Path) -> None:
    if not small_disk.is_mount():
        ballast = None
    else:
        ballast = small_disk / "someone-elses-log"
        ballast.write_bytes(b"\0" * (1 << 20))
    journal = Journal(small_disk / "journal.db")
    if ballast is None:
        journal._file._writer.execute("PRAGMA max_page_count = 256")
    accepted: list[int] = []

    def fill_up() -> None:
        while len(accepted) < 10_000:
            accepted.extend(journal.append([event(len(accepted), data={"padding": "word " * 100})], BOOT))

    with pytest.raises(StoreError, match="full"):
        fill_up()
    for _ in range(20):
        with pytest.raises(StoreError):
            journal.append([event(step, data={"padding": "word " * 400}) for step in range(50)], BOOT)
    if ballast is None:
        journal._file._writer.execute("PRAGMA max_page_count = 100000")
    else:
        ballast.unlink()
    accepted += journal.append([event(0)], BOOT)
    assert accepted == list(range(1, len(accepted) + 1))
    assert [row.seq for row in journal.read_after(0, ALL, 20_000)] == accepted
    journal.close()
    journal = Journal(small_disk / "journal.db")
    assert journal.last_seq == len(accepted)
    journal.close()


def test_damage_on_a_full_disk_is_told_once_there_is_room(small_disk: Path) -> None:
    path, rest = small_disk / "journal.db", small_disk / "someone-elses-log"
    fill(path)
    overwrite(path, 0, 4096)
    for room in range(0, 400_000, 4096):
        rest.unlink(missing_ok=True)
        if small_disk.is_mount():
            with rest.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free - room)
        with suppress(StoreError):
            Journal(path).close()
    rest.unlink(missing_ok=True)
    kept, told = rows_of(path)
    assert "alarm.journal_damaged" in [row.name for row in told]
    losses = [row.data for row in told if row.name == "loss"]
    missing = set(range(1, COUNT + 1)) - {row.seq for row in kept}
    assert missing <= {seq for loss in losses for seq in range(loss["from"], loss["to"] + 1)}


_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_NO_FLUSH = 2


def test_what_was_accepted_survives_a_power_cut(tmp_path: Path) -> None:
    """An ext4 of our own is cut off without flushing anything, where we may mount one."""
    image, folder = tmp_path / "disk.img", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    mount = ["mount", "-o", "loop", str(image), str(folder)]
    subprocess.run([needed("mkfs.ext4", "e2fsprogs"), "-q", str(image)], check=True)
    mounted = os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0
    journal = Journal(folder / "journal.db")
    if not mounted:  # then at least every commit asks for it
        assert journal._file._writer.execute("PRAGMA synchronous").fetchone() == (2,)
        return
    try:
        accepted = [seq for n in range(100) for seq in journal.append([event(n)], BOOT)]
        disk = os.open(folder, os.O_RDONLY)
        fcntl.ioctl(disk, _SHUTDOWN, struct.pack("I", _NO_FLUSH))
        os.close(disk)
        with pytest.raises(StoreError):
            journal.append([event(100)], BOOT)
        journal.close()
        subprocess.run(["umount", str(folder)], check=True)
        subprocess.run(mount, check=True)
        journal = Journal(folder / "journal.db")
        kept = [row.seq for row in journal.read_after(0, ALL, 1000)]
        journal.close()
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    assert kept[:100] == accepted
    assert len(kept) <= 101


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        Journal(tmp_path / "file" / "journal.db")
