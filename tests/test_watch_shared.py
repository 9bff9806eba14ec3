"""The whole vision child with the shipped models and real photographs: folder, replayed drives and a live stream."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gateway.supervisor import COMMAND
from gateway.types import PlateSeen
from tests.cameras.streaming import RtspServer
from tests.door import Door, settings
from tests.real import wait_until

pytestmark = pytest.mark.shared


@pytest.fixture
def scenes(shared: Path) -> list[tuple[Path, str]]:
    """Whole scenes with one car each, and its number."""
    plates = shared / "data" / "plates"
    with (plates / "labels.csv").open(encoding="utf-8") as rows:
        return [
            (plates / row["file"], row["plate"])
            for row in csv.DictReader(rows)
            if row["file"].startswith("scenes_ccpd/")
        ]


def drive(photo: Path, folder: Path) -> None:
    """Fifteen frames in which the photographed car comes nearer."""
    picture = cv2.imread(str(photo))
    assert picture is not None
    height, width = picture.shape[:2]
    folder.mkdir()
    for at in range(15):
        zoom = 0.7 + 0.04 * at
        matrix = np.array([[zoom, 0, (1 - zoom) * width / 2], [0, zoom, (1 - zoom) * height / 2 + 12 * at - 60]])
        cv2.imwrite(str(folder / f"{at:02}.jpg"), cv2.warpAffine(picture, matrix, (width, height)))


def test_two_cars_drive_by_one_stands_and_each_is_told_once(tmp_path: Path, scenes: list[tuple[Path, str]]) -> None:
    server = RtspServer(tmp_path, 1)
    picture = cv2.imread(str(scenes[3][0]))
    assert picture is not None
    cv2.imwrite(str(tmp_path / "1.jpg"), cv2.resize(picture, (720, 1152)))  # H.264 wants even sides
    cameras: dict[str, dict[str, Any]] = {"live": {"driver": "rtsp", "url": server.url}}
    expected = {"live": scenes[3][1]}
    for number, (photo, plate) in enumerate(scenes[:2]):
        drive(photo, tmp_path / f"drive{number}")
        cameras[f"drive{number}"] = {"driver": "replay", "path": str(tmp_path / f"drive{number}"), "fps": 5}
        expected[f"drive{number}"] = plate
    given = settings(tmp_path, **cameras)
    with server, Door(given, COMMAND).open() as door:
        wait_until(lambda: {seen.device for seen in door.seen} == set(expected), what=f"{door.vision} {door.changes}")
        wait_until(lambda: door.vision["cameras"]["drive0"]["frame_age_s"] > 2.5)  # the drives are over
    told = [(seen.device, seen.plate.number) for seen in door.seen if isinstance(seen, PlateSeen) and seen.plate]
    assert sorted(told) == sorted(expected.items())
    assert all(seen.plate.confidence >= 0.85 for seen in door.seen if isinstance(seen, PlateSeen) and seen.plate)


def test_uploaded_photographs_are_each_read_once(tmp_path: Path, scenes: list[tuple[Path, str]]) -> None:
    (tmp_path / "in").mkdir()
    for photo, _ in scenes:
        shutil.copy(photo, tmp_path / "in" / photo.name)
    given = settings(tmp_path, cam={"driver": "folder", "path": str(tmp_path / "in"), "after": "delete"})
    with Door(given, COMMAND).open() as door:
        wait_until(lambda: not list((tmp_path / "in").glob("*.jpg")))
    found = {seen.source_file: seen.plate.number for seen in door.seen if isinstance(seen, PlateSeen) and seen.plate}
    right = sum(found.get(photo.name) == plate for photo, plate in scenes)
    assert len(door.seen) == len({seen.origin for seen in door.seen})
    assert right >= 0.8 * len(scenes)
