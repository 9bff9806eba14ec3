"""Events of other processes (the command line) on their way to the journal, which only the daemon may open.

The rule: a file appears whole or not at all, and goes only after the journal has its event. The daemon names each
event's origin after its file, so a file that is taken twice still becomes one event.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gateway.clock import ClockTrust, Stamp, boot_id
from gateway.errors import Rejected, StoreError
from gateway.ownership import give
from gateway.privacy import refuse_face_data
from gateway.text import Text
from gateway.types import Event, EventClass

_log = logging.getLogger(__name__)

FOLDER = "spool"  # in the data directory
_ENDING = ".event.json"
_LARGEST = 1 << 16  # bytes of one file
_MOST = 256  # files in one round; the others wait for the next


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event from the spool and the boot it was stamped in."""

    event: Event
    boot: str
    path: Path


class _Entry(BaseModel):
    """One file. The spool lies in a folder others may write to: everything is checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    name: Annotated[str, Field(pattern=r"^[a-z]{2,16}\.[a-z_]{2,32}$")]
    subject: Annotated[str, Field(min_length=1, max_length=64)]
    time: AwareDatetime
    mono: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    trust: ClockTrust
    boot: Annotated[str, Field(min_length=1, max_length=64)]
    data: dict[str, Any]


class Spool:
    """The folder. Any process may put; the daemon alone takes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, event: Event) -> None:
        """Leave an event, synced to the disk. Raises `Rejected` (privacy guard) or `StoreError`."""
        refuse_face_data(event.data)
        entry = _Entry(
            id=event.id,
            name=event.name,
            subject=event.subject,
            time=event.stamp.time,
            mono=event.stamp.mono,
            trust=event.stamp.trust,
            boot=boot_id(),
            data=dict(event.data),
        )
        try:
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            draft = self._folder / f".{event.id}"
            draft.touch(mode=0o600, exist_ok=False)
            with draft.open("w", encoding="utf-8") as file:
                file.write(entry.model_dump_json())
                file.flush()
                os.fsync(file.fileno())
            for path in (self._folder, draft):
                give(path, self._folder.parent)
            draft.rename(self._folder / f"{event.id}{_ENDING}")  # ids rise with time, so names sort by age
            _sync(self._folder)
        except OSError as error:
            raise StoreError(
                Text("无法在 {folder} 中留下事件：{why}", "cannot leave an event in {folder}: {why}").with_(
                    folder=self._folder, why=error.strerror
                ),
                hint=Text("磁盘是否已满？是否以 root 运行？", "is the disk full? are you root?"),
            ) from error

    def take(self) -> Iterator[Waiting]:
        """The waiting events, oldest first, so many a round; each stays until `remove`. Raises `StoreError`."""
        for name in self._names()[:_MOST]:
            waiting = self._read(self._folder / name)
            if waiting:
                yield waiting

    def remove(self, waiting: Waiting) -> None:
        """The journal has it."""
        waiting.path.unlink(missing_ok=True)

    def _names(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._folder) if name.endswith(_ENDING))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(
                Text("{folder} 无法读取：{why}", "{folder} cannot be read: {why}").with_(
                    folder=self._folder, why=error.strerror
                ),
                hint=Text("检查磁盘和该文件夹的属主", "check the disk and the owner of the folder"),
            ) from error

    def _read(self, path: Path) -> Waiting | None:
        try:
            with path.open("rb") as file:
                entry = _Entry.model_validate_json(file.read(_LARGEST + 1)[: _LARGEST + 1])
            refuse_face_data(entry.data)
            stamp = Stamp(entry.time, entry.mono, entry.trust)
            if not stamp.is_possible:
                raise Rejected("a moment that never was")
            stamp = replace(stamp, time=entry.time.astimezone(UTC))
            event = Event(entry.name, entry.subject, stamp, entry.data, origin=f"spool:{entry.id}", id=entry.id)
            EventClass(event.event_class)
        except (ValidationError, ValueError, Rejected) as error:
            _log.warning("%s in the spool is no event, set aside: %s", path.name, type(error).__name__)
            with suppress(OSError):
                path.rename(path.with_suffix(".bad"))
            return None
        except OSError as error:
            _log.warning("%s in the spool cannot be read: %s", path.name, error.strerror)
            return None
        return Waiting(event, entry.boot, path)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
