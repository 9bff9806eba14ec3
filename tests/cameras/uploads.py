"""Uploads of a recognising camera, and the camera `folder` that takes them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from drivers.cameras import folder
from drivers.cameras.folder import FolderCamera
from gateway.types import Frame, Unreadable
from tests.standstill import awake
from tests.striped import jpeg, look_for_plates, paint


def connect(path: Path, **options: object) -> FolderCamera:
    return folder.connect(folder.Options.model_validate({"path": str(path), "patience_s": 0.6, **options}))


def drain(camera: FolderCamera, seconds: float = 0.3, *, settle: bool = True) -> list[Frame | Unreadable]:
    """Everything the camera gives until it has been silent for `seconds`."""
    pictures: list[Frame | Unreadable] = []
    deadline = awake() + seconds
    while awake() < deadline:
        picture = camera.read()
        if picture is not None:
            pictures.append(picture)
            deadline = awake() + seconds
            if settle and picture.source is not None:
                camera.settle(picture.source)
    return pictures


def upload(path: Path, number: int, name: str = "", age_s: float = 0.0) -> Path:
    file = path / (name or f"{number}.jpg")
    file.write_bytes(jpeg(paint(number)))
    os.utime(file, (time.time() - age_s,) * 2)
    return file


def number_of(picture: Frame | Unreadable) -> str:
    assert isinstance(picture, Frame)
    return look_for_plates(picture)[0].plate.number
