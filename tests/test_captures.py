"""Evidence on disk: before its row, within its budget, for so long, and never at the cost of an event."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gateway.board import Board
from gateway.captures import Captures, kinds_of, refuse_other_shots
from gateway.clock import ClockTrust, now
from gateway.errors import BadFrame
from gateway.ids import new_id
from gateway.journal import Journal
from gateway.jpeg import size_of
from gateway.recorder import Recorder
from gateway.settings import Captures as Policy
from gateway.settings import Settings
from gateway.types import Box, Event, EventClass, Plate, PlateSeen, Shot, ShotKind
from gateway.vision.shots import take
from tests.facts import event

PLATE = Plate("鄂J12345", "鄂J12345", "02", "5", 0.97, (0.99,) * 7)
KINDS = frozenset(ShotKind)
_random = np.random.default_rng(7)
STREET = cv2.resize(_random.integers(0, 255, (45, 80, 3), np.uint8), (1280, 720))


def shots(*kinds: ShotKind) -> tuple[Shot, ...]:
    """Real pictures, as the vision child takes them."""
    return take(STREET, Box(500, 400, 640, 445), kinds or (ShotKind.PLATE,))


@pytest.fixture
def board() -> Board:
    return Board()


def store(folder: Path, board: Board, min_free: int = 0, **policy: Any) -> Captures:
    return Captures(folder / "captures", Policy(plate=True, scene=True, **policy), min_free=min_free, board=board)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "captures").rglob("*.jpg"))


def test_pictures_are_named_by_their_event_and_read_back_byte_for_byte(tmp_path: Path, board: Board) -> None:
    captures = store(tmp_path, board)
    taken = shots(*ShotKind)
    kept = captures.keep(event(1, "vehicle.passed"), taken)
    assert kept.data["capture"] == kept.id
    assert names(tmp_path) == [f"{kept.id}.plate.jpg", f"{kept.id}.scene.jpg"]
    assert captures.kinds(kept.id) == list(ShotKind)
    assert [captures.read(kept.id, shot.kind) for shot in taken] == [shot.jpeg for shot in taken]
    assert captures.read(new_id(), ShotKind.PLATE) is None
    assert captures.read("../../../etc/passwd", ShotKind.PLATE) is None
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "captures").rglob("*")}
    assert modes == {0o700, 0o600}


def test_the_oldest_pictures_go_when_the_budget_is_full(tmp_path: Path, board: Board) -> None:
    (shot,) = shots()
    size = len(shot.jpeg)
    captures = store(tmp_path, board, max_bytes=3 * size)
    kept = [captures.keep(event(number, "vehicle.passed"), [shot]).id for number in range(5)]
    assert names(tmp_path) == [f"{one}.plate.jpg" for one in kept[2:]]
    assert board.counters()["captures.shed"] == 2
    again = store(tmp_path, board, max_bytes=3 * size)  # after a restart it knows what is there
    again.keep(event(9, "vehicle.passed"), [shot])
    assert len(names(tmp_path)) == 3
    assert again.shed(size + 1) == 2 * size  # what the storage policy asks for
    assert again.shed(1 << 40) == size
    assert names(tmp_path) == []


def test_pictures_go_after_their_days_and_a_wrong_clock_deletes_none(tmp_path: Path, board: Board) -> None:
    captures = store(tmp_path, board, retain=86400)
    captures.keep(event(1, "vehicle.passed"), shots(*ShotKind))
    later = replace(now(), time=now().time + timedelta(days=1, minutes=1))
    assert captures.expire(replace(later, trust=ClockTrust.UNSYNCED)) == 0
    assert captures.expire(replace(now(), trust=ClockTrust.SYNCED)) == 0
    assert captures.expire(replace(later, trust=ClockTrust.SYNCED)) == 2
    assert list((tmp_path / "captures").iterdir()) == []


def test_a_folder_that_cannot_be_read_ends_nobody_s_thread(tmp_path: Path, board: Board) -> None:
    captures = store(tmp_path, board)
    kept = captures.keep(event(1, "vehicle.passed"), shots())
    (folder,) = (tmp_path / "captures").iterdir()
    (folder / f"{kept.id}.plate.jpg").unlink()
    (folder / f"{kept.id}.plate.jpg").mkdir()  # as a damaged file system may show it
    later = replace(now(), time=now().time + timedelta(days=99), trust=ClockTrust.SYNCED)
    assert captures.expire(later) == 0
    assert captures.shed(1) == 0
    assert captures.read(kept.id, ShotKind.PLATE) is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("a disk of its own needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=False)


def test_a_disk_that_fills_up_loses_the_picture_and_never_the_event(
    tmp_path: Path, small_disk: Path, board: Board
) -> None:
    """The journal lies on another disk here: what is left of this one is less than a picture."""
    captures = store(small_disk, board)
    with (small_disk / "ballast").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    journal = Journal(tmp_path / "journal.db")
    recorder = Recorder(journal, board, captures=captures)
    happened = Event("vehicle.passed", "gate", now(), {"point": "gate", "plate_no": "鄂J12345"})
    recorder.record(happened, None, shots(*ShotKind))
    recorder._keep(recorder._gather(0.1), threading.Event())
    (row,) = journal.read_after(0, list(EventClass), 10)
    assert row.id == happened.id
    assert "capture" not in row.data
    assert board.counters()["captures.missed"] == 2
    assert list(small_disk.rglob("*.part")) == []
    journal.close()


def test_what_the_journal_needs_of_the_disk_is_left_to_it(small_disk: Path, board: Board) -> None:
    captures = store(small_disk, board, min_free=1 << 20)
    (shot,) = shots(ShotKind.SCENE)
    for number in range(40):
        captures.keep(event(number, "vehicle.passed"), [shot])
    left = os.statvfs(small_disk)
    assert left.f_bavail * left.f_frsize >= 1 << 20
    assert board.counters()["captures.shed"] > 0
    assert names(small_disk)


def test_a_picture_is_on_the_disk_before_its_row(tmp_path: Path, board: Board) -> None:
    journal = Journal(tmp_path / "journal.db")
    captures = store(tmp_path, board)
    recorder = Recorder(journal, board, captures=captures)
    found: list[list[str]] = []
    keep = journal.keep

    def watched(entries: Any) -> Any:
        found.append(names(tmp_path))
        return keep(entries)

    journal.keep = watched  # type: ignore[method-assign]
    happened = Event("vehicle.passed", "gate", now(), {"point": "gate"})
    recorder.record(happened, None, shots())
    recorder._keep(recorder._gather(0.1), threading.Event())
    assert found == [[f"{happened.id}.plate.jpg"]]
    (row,) = journal.read_after(0, list(EventClass), 10)
    assert row.data["capture"] == happened.id
    journal.close()


def test_pictures_that_wait_for_the_disk_do_not_fill_the_memory(tmp_path: Path, board: Board) -> None:
    recorder = Recorder(None, board, captures=store(tmp_path, board))
    large = Shot(ShotKind.SCENE, bytes(400_000))
    for number in range(100):
        recorder.record(event(number, "vehicle.passed"), None, (large,))
    assert recorder._queue.qsize() == 100  # every event
    assert board.counters()["captures.missed"] == 100 - (16 << 20) // 400_000


# ── what is believed ──────────────────────────────────────────────────────────────────────────────────────


def settings(folder: Path, recognise: list[str], **captures: Any) -> Settings:
    return Settings.model_validate(
        {
            "site": {"compound_id": "fenglinwan", "name": "枫林湾"},
            "gateway": {"id": "box-1", "data_dir": folder},
            "points": {"gate": {"name": "杆", "kind": "vehicle", "direction": "in"}},
            "cameras": {"cam": {"driver": "replay", "point": "gate", "recognise": recognise}},
            "captures": captures,
        }
    )


@pytest.mark.parametrize(
    ("recognise", "policy", "kinds"),
    [
        (["plate"], {}, set()),
        (["plate"], {"plate": True}, {ShotKind.PLATE}),
        (["plate"], {"plate": True, "scene": True}, set(ShotKind)),
        (["plate", "face"], {"plate": True, "scene": True}, {ShotKind.PLATE}),
        (["face"], {"plate": True, "scene": True}, set()),
        ([], {"plate": True, "scene": True}, set()),
    ],
)
def test_a_camera_that_recognises_faces_gives_no_scene_and_nothing_is_kept_unasked(
    tmp_path: Path, recognise: list[str], policy: dict[str, bool], kinds: set[ShotKind]
) -> None:
    assert kinds_of(settings(tmp_path, recognise, **policy), "cam") == kinds


def seen(*shots: Shot, plate: Plate | None = PLATE) -> PlateSeen:
    return PlateSeen("gate", "cam", now(), plate, 3, shots=shots)


def jpeg(width: int, height: int) -> bytes:
    done, found = cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8))
    assert done
    return found.tobytes()


def with_part(marker: int, body: bytes) -> bytes:
    plain = jpeg(160, 50)
    return plain[:2] + marker.to_bytes(2, "big") + (len(body) + 2).to_bytes(2, "big") + body + plain[2:]


def test_what_the_vision_child_takes_is_believed() -> None:
    refuse_other_shots(seen(*shots(*ShotKind)), KINDS)
    assert size_of(jpeg(160, 50)) == (160, 50)


@pytest.mark.parametrize(
    "shot",
    [
        Shot(ShotKind.PLATE, jpeg(800, 600)),
        Shot(ShotKind.SCENE, jpeg(2000, 1000)),
        Shot(ShotKind.PLATE, b""),
        Shot(ShotKind.PLATE, jpeg(160, 50)[:-40]),
        Shot(ShotKind.PLATE, jpeg(160, 50) + b"what follows"),
        Shot(ShotKind.PLATE, jpeg(160, 50) + jpeg(160, 50)),
        Shot(ShotKind.PLATE, with_part(0xFFE1, b"Exif\x00\x00" + bytes(64))),
        Shot(ShotKind.PLATE, with_part(0xFFFE, b"a comment")),
        Shot(ShotKind.PLATE, with_part(0xFFE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x01\x01" + bytes(3))),
        Shot(ShotKind.PLATE, cv2.imencode(".png", np.zeros((50, 160, 3), np.uint8))[1].tobytes()),
        Shot(ShotKind.PLATE, b"\xff\xd8" + bytes(400)),
    ],
)
def test_a_picture_that_is_not_plain_and_small_is_not_believed(shot: Shot) -> None:
    with pytest.raises(BadFrame):
        refuse_other_shots(seen(shot), KINDS)


def test_a_picture_that_may_not_be_kept_is_not_believed() -> None:
    with pytest.raises(BadFrame):
        refuse_other_shots(seen(*shots(ShotKind.SCENE)), {ShotKind.PLATE})
    with pytest.raises(BadFrame):
        refuse_other_shots(seen(*shots(), plate=None), KINDS)
