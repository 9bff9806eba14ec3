"""From one still to its observations: each picture is a passage of its own.

Rule: one plate found is one observation; where plates are looked for and none is there, that is one observation too.
Every observation has an origin made of the camera, the file and its number in it, the same after any restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from gateway.errors import Rejected
from gateway.privacy import refuse_face_data
from gateway.types import FaceSeen, Frame, PlateSeen
from gateway.vision.face_stream import face_seen
from gateway.vision.sightings import FaceSighting, PlateSighting
from gateway.vision.streams import HOPELESS, Shoot


def plates_of(
    frame: Frame,
    sightings: Sequence[PlateSighting],
    point: str,
    device: str,
    shoot: Shoot = lambda _sighting: (),
) -> list[PlateSeen]:
    """One observation per readable plate, the surest first; one without a plate where there is none."""
    found, numbers = [], set()
    for sighting in sorted(sightings, key=lambda sighting: sighting.plate.confidence, reverse=True):
        plate = sighting.plate
        if plate.confidence >= HOPELESS and plate.number not in numbers:
            numbers.add(plate.number)
            shots = shoot(sighting)
            found.append(PlateSeen(point, device, frame.stamp, plate, reads=1, box=sighting.box, shots=shots))
    found = found or [PlateSeen(point, device, frame.stamp, None, reads=0)]
    return [
        replace(seen, source_file=source_name(frame.source), origin=origin_of(device, frame.origin, number))
        for number, seen in enumerate(found)
    ]


def faces_of(frame: Frame, sightings: Sequence[FaceSighting], point: str, device: str) -> list[FaceSeen]:
    """One observation per enrolled person; strangers give none."""
    best: dict[str, FaceSeen] = {}
    for sighting in sightings:
        if sighting.match is None:
            continue
        seen = face_seen(point, device, sighting, sighting.match, reads=1)
        if seen.subject not in best or best[seen.subject].similarity < seen.similarity:
            best[seen.subject] = seen
    return [
        replace(seen, source_file=source_name(frame.source), origin=origin_of(device, frame.origin, f"f/{subject}"))
        for subject, seen in sorted(best.items())
    ]


def source_name(name: str | None) -> str:
    """A file name as events may carry it."""
    return _harmless(name or "")


def origin_of(device: str, origin: str | None, what: object) -> str:
    """What is the same for the same observation of the same picture, also after a restart."""
    return f"{device}/{_harmless(origin or '')}/{what}"


def _harmless(name: str) -> str:
    """A name that the privacy guard lets pass: nobody's passage is lost for what a camera calls its pictures."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    for candidate in (name, f"{name[:40]}…{digest}"):
        try:
            refuse_face_data({"name": f"/{candidate}/"})
        except Rejected:
            continue
        return candidate
    return digest
