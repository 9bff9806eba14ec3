"""Puts the downlink together from the parts of the house."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from gateway.board import Board
from gateway.captures import Captures
from gateway.clock import ClockTrust, now, trust
from gateway.doorkeeper import Opener, Record
from gateway.downlink.deeds import Deeds
from gateway.downlink.doors import Doors
from gateway.downlink.downlink import Downlink
from gateway.downlink.pictures import Pictures
from gateway.faces import FILE_NAME as FACES
from gateway.faces import FaceStore
from gateway.journal import Journal
from gateway.keys import Keys
from gateway.register import Register
from gateway.roster import FILE_NAME as ROSTER
from gateway.roster import Roster
from gateway.settings import Settings
from gateway.spool import FOLDER as SPOOL
from gateway.spool import Spool
from gateway.types import Event


def open_downlink(
    settings: Settings,
    *,
    in_force: Callable[[], Settings],
    journal: Journal,
    keys: Keys,
    register: Callable[[], Register],
    actuators: Mapping[str, Opener],
    record: Record,
    board: Board,
    captures: Captures,
    read_trust: Callable[[], ClockTrust] = trust,
) -> Downlink:
    """`in_force`: the settings as a reload left them; `read_trust` says whether the clock is right."""
    data = settings.gateway.data_dir
    deeds = Deeds(
        settings=settings,
        in_force=in_force,
        journal=journal,
        roster=Roster(data / ROSTER, keys),
        holders=lambda: len(register()),
        doors=Doors(settings.points, actuators, record),
        erase_faces=partial(erase_faces, data, keys),
        pictures=Pictures(captures, settings),
    )
    return Downlink(settings=settings, deeds=deeds, record=record, board=board, read_trust=read_trust)


def erase_faces(data: Path, keys: Keys, holder_ref: str) -> int:
    """Erase a holder's templates, whether faces are in use or not; return how many there were. Raises `StoreError`."""
    if not (data / FACES).exists():
        return 0
    facts = {"reason": "ordered by the platform", "holder": {"ref": holder_ref}}
    event = Event("audit.face_erased", "faces", now(), facts)
    return FaceStore(data / FACES, keys.face_key).erase(holder_ref, audit=partial(Spool(data / SPOOL).put, event))
