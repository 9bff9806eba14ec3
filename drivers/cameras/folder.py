"""A folder into which a recognising camera uploads pictures (by FTP, say). Each file is a passage of its own.

Rule: a file is delivered when it is whole, once, oldest first; it is consumed only when `settle` says that its events
are kept. Only plain files of the folder itself count: sub-folders, links, hidden and temporary files do not.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from drivers.cameras.ledger import Attempts, Entry, Ledger
from drivers.cameras.pictures import MAX_BYTES, decoder, inspect
from gateway.clock import Stamp, now, trust
from gateway.errors import DeviceLost
from gateway.text import Text, printable
from gateway.types import Frame, Unreadable

if TYPE_CHECKING:
    from gateway.types import Image

_ENDINGS = (".jpg", ".jpeg", ".png")
_LOOK_S = 0.1  # between two looks at the folder; a file must be unchanged over two of them
_IN_FLIGHT = 64  # pictures delivered and not yet settled
_TRIES = 3  # of decoding a picture; one that ended the process so often is given up
_TOO_LARGE = Text("文件有 {size} MiB，太大，不会是抓拍图片", "{size} MiB are too much for a picture")
_DEADLY = Text("解码时进程异常终止（共 {n} 次）", "decoding it ended the decoder {n} times")
_RIGHT = Text('after = "{after}" 需要此权限和空间', '`after = "{after}"` needs the right and the room to do so')
_LOCKED = Text(
    "网关无权读取此文件，保留至可以读取（FTP 服务的 umask 应为 022）",
    "the gateway may not read it; it stays until it may (an FTP server's umask should be 022)",
)
_OLDEST_S = 20 * 365 * 86400  # an mtime before that was never set


class Options(BaseModel, extra="forbid", frozen=True):
    """`ledger` is where `after = "keep"` notes consumed files; by default `.consumed` inside the folder."""

    path: Path
    # move:DIR comes absolute from a configuration
    after: Annotated[str, Field(pattern=r"^(keep|delete|move:.+)$")] = "keep"
    ledger: Path | None = None
    patience_s: Annotated[float, Field(gt=0, le=600)] = 10.0  # then a file that stays cut off is reported as such


@dataclass(slots=True)
class _Candidate:
    entry: Entry
    since: float  # monotonic, of the first look at this size and mtime
    looks: int = 1


class FolderCamera:
    """See the contracts `Camera` and `StillCamera`."""

    def __init__(self, options: Options, decode: Callable[[bytes], Image | None]) -> None:
        self._folder, self._options, self._decode = options.path, options, decode
        ledger = options.ledger or self._folder / ".consumed"
        self._ledger, self._attempts = Ledger(ledger), Attempts(ledger.with_name(ledger.name + ".trying"))
        self._waiting: dict[str, _Candidate] = {}
        self._in_flight: dict[str, Entry] = {}  # by what they are called outside
        self._shown: dict[str, tuple[int, bytes]] = {}  # of files still there: mtime_ns and digest as last delivered
        self._stuck: set[Entry] = set()  # consumed, but could not be put away
        self._locked: set[Entry] = set()  # may not be read, and this was told
        self._next_look = 0.0

    def read(self) -> Frame | Unreadable | None:
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            if len(self._in_flight) < _IN_FLIGHT:
                if time.monotonic() >= self._next_look:
                    self._look()
                if (picture := self._oldest()) is not None:
                    return picture
            time.sleep(0.02)
        return None

    def settle(self, source: str) -> None:
        entry = self._in_flight.get(source)
        if entry is None:
            return
        if entry not in self._locked:  # nobody has seen what is in that one
            self._ledger.add(entry)  # first: a crash in between must not deliver it again
            self._put_away(entry)
        del self._in_flight[source]

    def close(self) -> None:
        """Nothing stays open between two reads."""

    def _put_away(self, entry: Entry) -> None:
        path, after = self._folder / entry[0], self._options.after
        try:
            # a newer upload of the same name is another picture and stays
            if after == "keep" or _entry(entry[0], path.stat()) != entry:
                return
            if after == "delete":
                path.unlink()
            else:
                target = _move_folder(self._options)
                target.mkdir(parents=True, exist_ok=True)  # somebody may have tidied it away
                _move(path, _free_name(target / path.name))
        except FileNotFoundError:
            return  # somebody took it: consumed all the same
        except OSError as error:
            raise DeviceLost(f"{printable(str(path))}: {error.strerror}", hint=_RIGHT.with_(after=after)) from error

    def _look(self) -> None:
        at = time.monotonic()
        try:
            found = dict(self._entries())
        except OSError as error:
            raise DeviceLost(
                f"{self._folder}: {error.strerror}", hint=Text("文件夹还在吗？", "is the folder still there?")
            ) from error
        self._ledger.forget_all_but(set(found))
        for known in (self._locked, self._stuck):
            known.intersection_update(found.values())
        self._shown = {name: shown for name, shown in self._shown.items() if name in found}
        waiting: dict[str, _Candidate] = {}
        for name, entry in found.items():
            if printable(name) in self._in_flight:
                continue
            if entry in self._ledger:
                if entry not in self._stuck:
                    self._make_good(entry)
                continue
            before = self._waiting.get(name)
            same = before is not None and before.entry == entry
            waiting[name] = before if before is not None and same else _Candidate(entry, at)
            waiting[name].looks += same
        self._waiting = waiting
        self._next_look = time.monotonic() + max(
            _LOOK_S, 5 * (time.monotonic() - at)
        )  # a huge folder is looked at less

    def _make_good(self, entry: Entry) -> None:
        """Put away what the last run did not come to, or could not: it was told then, and the next pictures go on."""
        try:
            self._put_away(entry)
        except DeviceLost:
            self._stuck.add(entry)

    def _entries(self) -> Iterator[tuple[str, Entry]]:
        with os.scandir(self._folder) as listing:
            for item in listing:
                name = item.name
                if name.startswith((".", "~")) or not name.lower().endswith(_ENDINGS):
                    continue
                try:
                    if item.is_file(follow_symlinks=False):
                        yield name, _entry(name, item.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue

    def _oldest(self) -> Frame | Unreadable | None:
        ready = [candidate for candidate in self._waiting.values() if candidate.looks >= 2]
        for candidate in sorted(ready, key=lambda candidate: (candidate.entry[2], candidate.entry[0])):
            picture = self._open(candidate)
            if picture is not None:
                name = candidate.entry[0]
                self._in_flight[printable(name)] = self._waiting.pop(name).entry
                return picture
        return None

    def _open(self, candidate: _Candidate) -> Frame | Unreadable | None:
        """The picture of a file; None while it may still be growing."""
        file, size, mtime_ns = candidate.entry
        name = printable(file)
        stamp, origin = _stamp(mtime_ns), f"{name}/{size}/{mtime_ns}"
        patient = time.monotonic() - candidate.since < self._options.patience_s
        if size == 0:
            return None if patient else Unreadable(stamp, name, origin, Text("文件是空的", "the file is empty"))
        if size > MAX_BYTES:
            return Unreadable(stamp, name, origin, _TOO_LARGE.with_(size=size >> 20))
        try:
            data = (self._folder / file).read_bytes()
        except PermissionError:
            if patient or candidate.entry in self._locked:
                return None
            self._locked.add(candidate.entry)
            return Unreadable(stamp, name, f"{origin}/locked", _LOCKED)  # its passage is still to come
        except OSError as error:
            return None if patient else Unreadable(stamp, name, origin, error.strerror or str(error))
        self._locked.discard(candidate.entry)
        if self._only_its_time_was_set(candidate.entry, digest := hashlib.sha256(data).digest()):
            self._ledger.add(self._waiting.pop(file).entry)
            self._make_good(candidate.entry)
            return None
        found = self._pixels(candidate, data, patient=patient)
        if found is None:
            return None
        self._shown[file] = mtime_ns, digest
        if isinstance(found, Text):
            return Unreadable(stamp, name, origin, found)
        return Frame(found, stamp, source=name, origin=origin)

    def _only_its_time_was_set(self, entry: Entry, digest: bytes) -> bool:
        """Whether these bytes were delivered, with a later time: FTP clients set it after the upload."""
        before, shown = self._shown.get(entry[0], (0, b""))
        return entry[2] < before and digest == shown

    def _pixels(self, candidate: _Candidate, data: bytes, *, patient: bool) -> Image | Text | None:
        """The picture that the bytes are, or why there is none; None while it may still be growing."""
        header = inspect(data)
        if header.fault:
            may_grow = patient and (not header.known or not header.whole)
            candidate.looks = 0  # look twice more before the next try
            return None if may_grow else header.fault
        if self._attempts.begin(candidate.entry) > _TRIES:
            return _DEADLY.with_(n=_TRIES)
        pixels = self._decode(data)
        self._attempts.end()
        return Text("图片无法解码", "the picture cannot be decoded") if pixels is None else pixels


def connect(options: Options) -> FolderCamera:
    """Open the folder. Raises `DeviceLost` where it is missing or cannot be used as configured."""
    if not options.path.is_dir():
        raise DeviceLost(
            Text("{path} 不是文件夹", "{path} is no folder").with_(path=options.path),
            hint=Text("建立该文件夹，并让摄像机上传到其中", "create it and let the camera upload into it"),
        )
    if options.after.startswith("move:"):
        target = _move_folder(options)
        if target.resolve() == options.path.resolve():
            raise DeviceLost(
                Text("{path} 就是上传文件夹本身", "{path} is the folder itself").with_(path=target),
                hint=Text('after = "move:目录" 须用另一个文件夹', '`after = "move:DIR"` needs another folder'),
            )
        _must_be_writable(next(path for path in (target, *target.parents) if path.exists()), options.after)
    if options.after != "keep":
        _must_be_writable(options.path, options.after)
    return FolderCamera(options, decoder())


def _move(path: Path, target: Path) -> None:
    """To another file system it is a copy, of which nothing stays where it does not fit. Raises `OSError`."""
    try:
        shutil.move(path, target)
    except OSError:
        if path.exists():
            target.unlink(missing_ok=True)
        raise


def _must_be_writable(path: Path, after: str) -> None:
    if not os.access(path, os.W_OK | os.X_OK, effective_ids=True):  # better said now than at each picture
        raise DeviceLost(
            Text("{path} 不可写", "{path} is not writable").with_(path=path), hint=_RIGHT.with_(after=after)
        )


def _move_folder(options: Options) -> Path:
    return options.path / options.after.removeprefix("move:")


def _entry(name: str, stat: os.stat_result) -> Entry:
    return name, stat.st_size, stat.st_mtime_ns


def _free_name(path: Path) -> Path:
    """The path itself, or a numbered one beside it: a moved picture never replaces another."""
    number, free = 1, path
    while free.exists():
        free, number = path.with_name(f"{path.stem}.{number}{path.suffix}"), number + 1
    return free


def _stamp(mtime_ns: int) -> Stamp:
    """When the picture was taken: when its file was last written, unless that lies in the future."""
    age = time.time() - mtime_ns / 1e9
    if not 0 < age < _OLDEST_S:
        return now()
    return Stamp(datetime.fromtimestamp(mtime_ns / 1e9, UTC), time.monotonic() - age, trust())
