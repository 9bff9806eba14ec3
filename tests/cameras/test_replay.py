"""A recorded video or a folder of images, played at its pace."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from drivers.cameras import replay
from drivers.cameras.replay import ReplayCamera
from gateway.errors import DeviceLost
from tests.standstill import awake
from tests.striped import HEIGHT, WIDTH, jpeg, look_for_plates, paint


def numbers(camera: ReplayCamera, seconds: float) -> list[str]:
    found, deadline = [], awake() + seconds
    while awake() < deadline:
        frame = camera.read()
        if frame is not None:
            found.append(look_for_plates(frame)[0].plate.number)
    camera.close()
    return found


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(1, 4):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(paint(number)))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (WIDTH, HEIGHT))
    for number in range(1, 6):
        writer.write(paint(number))
    writer.release()
    return path


def test_images_play_in_the_order_of_their_names_and_then_nothing(images: Path) -> None:
    camera = replay.connect(replay.Options(path=images, fps=50))
    assert numbers(camera, 0.8) == ["鄂A00001", "鄂A00002", "鄂A00003"]


def test_images_loop_when_told(images: Path) -> None:
    found = numbers(replay.connect(replay.Options(path=images, fps=50, loop=True)), 0.5)
    assert found[:7] == ["鄂A00001", "鄂A00002", "鄂A00003"] * 2 + ["鄂A00001"]


def test_the_pace_is_kept(images: Path) -> None:
    assert 4 <= len(numbers(replay.connect(replay.Options(path=images, fps=10, loop=True)), 0.6)) <= 8


def test_a_video_plays_and_loops(video: Path) -> None:
    camera = replay.connect(replay.Options(path=video))
    assert numbers(camera, 0.8) == [f"鄂A0000{number}" for number in range(1, 6)]
    assert len(numbers(replay.connect(replay.Options(path=video, fps=100, loop=True)), 0.5)) > 10


def test_what_cannot_be_played_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeviceLost, match="correct `path`"):
        replay.connect(replay.Options(path=tmp_path / "nowhere"))
    with pytest.raises(DeviceLost, match="no images"):
        replay.connect(replay.Options(path=tmp_path))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(DeviceLost, match="MP4"):
        replay.connect(replay.Options(path=tmp_path / "text.mp4"))
