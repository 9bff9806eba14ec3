"""Captures: JPEG evidence on disk, named by event id, under a byte budget and for so many days.

Rule: pictures serve facts and never hold them up. A picture is synced before the row that names it; one that cannot be
kept is counted, and its event goes without. Of faces there is none: a camera that recognises faces gives no scene, and
a scene is coarse everywhere but on the plate (`gateway.vision.shots`).
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gateway.board import Board
from gateway.clock import ClockTrust, Stamp
from gateway.errors import BadFrame
from gateway.jpeg import size_of
from gateway.settings import Captures as Policy
from gateway.settings import Settings
from gateway.types import Event, PlateSeen, Shot, ShotKind

log = logging.getLogger(__name__)

FOLDER: Final = "captures"  # in the data directory
_MOST_PIXELS: Final = {ShotKind.PLATE: 640, ShotKind.SCENE: 1280}  # of the longer side
_PREFIX: Final = 6  # of an id: the events of 4.7 hours share a folder, and folders sort by age
_PART: Final = ".part"
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_QUIET_S: Final = 60.0  # between two lines of the log about pictures that could not be kept


def kinds_of(settings: Settings, camera: str) -> frozenset[ShotKind]:
    """Which pictures of what this camera sees may be kept."""
    policy, recognise = settings.captures, settings.cameras[camera].recognise
    kinds = {ShotKind.PLATE} if policy.plate else set()
    if policy.scene and "face" not in recognise:
        kinds.add(ShotKind.SCENE)
    return frozenset(kinds) if "plate" in recognise else frozenset()


def refuse_other_shots(seen: PlateSeen, kinds: Collection[ShotKind]) -> None:
    """Raise `BadFrame` unless every picture is one that may be kept, and is a small plain JPEG."""
    for shot in seen.shots:
        if shot.kind not in kinds or seen.plate is None:
            raise BadFrame(f"a picture of kind {shot.kind.value}, which may not be kept", reason="shot")
        if max(size_of(shot.jpeg)) > _MOST_PIXELS[shot.kind]:
            raise BadFrame(f"a picture of kind {shot.kind.value} that is too large", reason="shot")


def is_capture(name: str) -> bool:
    """Whether it can be the name of a capture: the id of an event."""
    return _ID.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class _File:
    """One picture. Its name tells of which event and of what kind it is."""

    path: Path
    size: int


class Captures:
    """The folder. Any thread may call; the recorder alone keeps."""

    def __init__(self, folder: Path, policy: Policy, *, min_free: int, board: Board) -> None:
        self._folder, self._policy, self._min_free, self._board = folder, policy, min_free, board
        self._lock = threading.Lock()
        self._total: int | None = None  # bytes; None until the folder was looked through
        self._said = -_QUIET_S

    def keep(self, event: Event, shots: Sequence[Shot]) -> Event:
        """Write and sync the pictures of an event; return the event as it names them. Never raises."""
        kept = 0
        with self._lock:
            for shot in shots:
                try:
                    kept += self._write(event.id, shot)
                except OSError as error:
                    self._missed(f"{error.strerror}")
        return replace(event, data={**event.data, "capture": event.id}) if kept else event

    def read(self, event_id: str, kind: ShotKind) -> bytes | None:
        """A picture; None where there is none (any more), or what lies there is no picture of ours."""
        if not is_capture(event_id):
            return None
        path = self._path(event_id, kind)
        try:
            with path.open("rb") as file:
                jpeg = file.read(1 << 20)
            refuse = max(size_of(jpeg)) > _MOST_PIXELS[kind]
        except (OSError, BadFrame):
            return None
        return None if refuse else jpeg

    def kinds(self, event_id: str) -> list[ShotKind]:
        """Which pictures of an event there are."""
        return [kind for kind in ShotKind if self._path(event_id, kind).is_file()]

    def shed(self, wanted: int) -> int:
        """Delete the oldest pictures until `wanted` bytes are free that were not, or none is left; return how many.

        For whoever needs the room for facts. Blocks for no longer than deleting takes.
        """
        with self._lock:
            return self._shed(wanted)

    def expire(self, at: Stamp) -> int:
        """Delete what is older than the policy keeps; return how many files. A wrong clock deletes nothing."""
        if at.trust is ClockTrust.UNSYNCED:
            return 0
        before = round((at.time.timestamp() - self._policy.retain) * 1000)
        gone = 0
        with self._lock, _unreadable_is_said():
            for file in self._oldest_first():
                if _born_ms(file.path.name) >= before:
                    break
                gone += self._delete(file)
        return gone

    # ── under the lock ────────────────────────────────────────────────────────────────────────────────────

    def _write(self, event_id: str, shot: Shot) -> int:
        """The picture's bytes once they are on the disk; 0 where there is no room. Raises `OSError`."""
        size = len(shot.jpeg)
        self._count_once()
        assert self._total is not None
        self._shed(self._total + size - self._policy.max_bytes)
        if size > self._policy.max_bytes or not self._has_room(size):
            self._missed("no room")
            return 0
        path = self._path(event_id, shot.kind)
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(self._folder)
            _sync(self._folder.parent)
        part = path.with_name(f"{path.name}{_PART}")
        try:
            _write_synced(part, shot.jpeg)
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        self._total += size
        _sync(path.parent)
        self._board.count("captures.kept")
        return size

    def _has_room(self, size: int) -> bool:
        """Whether the disk keeps what the journal needs; older pictures go before this one is given up."""
        for _ in range(2):
            disk = os.statvfs(self._folder if self._folder.is_dir() else self._folder.parent)
            lacking = self._min_free + size - disk.f_bavail * disk.f_frsize
            if lacking <= 0:
                return True
            self._shed(lacking)
        return False

    def _shed(self, wanted: int) -> int:
        freed = 0
        files = self._oldest_first() if wanted > 0 else iter(())
        with _unreadable_is_said():
            for file in files:
                if freed >= wanted:
                    break
                if self._delete(file):
                    freed += file.size
                    self._board.count("captures.shed")
        return freed

    def _delete(self, file: _File) -> bool:
        try:
            file.path.unlink()
        except OSError as error:
            log.warning("a picture cannot be deleted: %s", error.strerror)
            return False
        if self._total is not None:
            self._total -= file.size
        with suppress(OSError):  # it is empty only after its last picture
            file.path.parent.rmdir()
        return True

    def _count_once(self) -> None:
        """Look through the folder once; what a crash left half written goes."""
        if self._total is not None:
            return
        for part in self._folder.glob(f"*/*{_PART}"):
            part.unlink(missing_ok=True)
        self._total = sum(file.size for file in self._oldest_first())

    def _oldest_first(self) -> Iterator[_File]:
        if not self._folder.is_dir():
            return
        for folder in sorted(entry.path for entry in os.scandir(self._folder) if entry.is_dir(follow_symlinks=False)):
            files = [entry for entry in os.scandir(folder) if entry.name.endswith(".jpg")]
            for entry in sorted(files, key=lambda entry: entry.name):
                yield _File(Path(entry.path), entry.stat(follow_symlinks=False).st_size)

    def _path(self, event_id: str, kind: ShotKind) -> Path:
        return self._folder / event_id[:_PREFIX] / f"{event_id}.{kind.value}.jpg"

    def _missed(self, why: str) -> None:
        self._board.count("captures.missed")
        if time.monotonic() - self._said > _QUIET_S:
            self._said = time.monotonic()
            log.error("a picture was not kept: %s; its event goes without", why)


@contextmanager
def _unreadable_is_said() -> Iterator[None]:
    """A folder that cannot be read ends the work in it, and nobody's thread."""
    try:
        yield
    except OSError as error:
        log.error("the folder of captures cannot be read: %s", error.strerror)


def _born_ms(name: str) -> int:
    """When the event of a picture was made (milliseconds since 1970), from its UUIDv7; 0 for another name."""
    try:
        return int(name[:8] + name[9:13], 16)
    except ValueError:
        return 0


def _write_synced(path: Path, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    finally:
        os.close(file)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
