"""`watch`: what an installer sees of a camera, beside the running daemon too."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from gateway.demo.pictures import drive
from tests.house import HEAD, House

CAMERA = """
[points.gate]
name = "Gate"
kind = "vehicle"
direction = "in"

[cameras.gate-cam]
driver = "replay"
path = "drive"
loop = true
point = "gate"
recognise = ["plate"]
"""


def test_a_line_a_second_tells_what_is_seen_and_what_would_be_published(tmp_path: Path) -> None:
    drive("鄂J12345", (52, 52, 150), tmp_path / "drive", start=0)
    house = House(tmp_path, HEAD + CAMERA)
    for given in (12, 40, 120):  # a slow box has hardly begun after the first of them
        words = ["watch", "gate-cam", "--seconds", f"{given}", "--save", str(tmp_path / "out.jpg"), "--json"]
        said = house.command(*words)
        seconds = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert 1 <= len(seconds) <= given
        if any(one["would_publish"] for one in seconds):
            break
    assert {(one["width"], one["height"]) for one in seconds if one["width"]} == {(1280, 720)}
    plates = [plate for one in seconds for plate in one["plates"]]
    assert "鄂J12345" in {plate["plate_no"] for plate in plates}
    assert all(plate["height_px"] > 5 for plate in plates)
    published = [what for one in seconds for what in one["would_publish"]]
    assert len(published) == 1
    assert published[0].startswith("vehicle 鄂J12345")
    saved = (tmp_path / "out.jpg").read_bytes()
    assert b"Exif" not in saved
    picture = cv2.imread(str(tmp_path / "out.jpg"))
    assert picture is not None
    assert picture.shape == (720, 1280, 3)
    assert not list(tmp_path.glob(".out*"))


def test_a_camera_that_shows_nothing_says_why(tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    house = House(tmp_path, HEAD + CAMERA.replace('recognise = ["plate"]', ""))
    said = house.command("watch", "gate-cam", "--seconds", "3")
    assert "no picture: " in said
    assert "has no images (put JPEG or PNG files into it)" in said


def test_an_unknown_camera_is_a_mistake_of_usage(tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    house = House(tmp_path, HEAD + CAMERA)
    said = house.command("watch", "gate", code=2)
    assert "没有摄像机 gate，可用：gate-cam" in said
    assert "no camera gate; there are: gate-cam" in said


def test_a_camera_from_which_no_picture_has_come_yet_says_so(tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    camera = CAMERA.replace('"replay"', '"folder"').replace("loop = true\n", "").replace('recognise = ["plate"]', "")
    house = House(tmp_path, HEAD + camera)
    assert house.command("watch", "gate-cam", "--seconds", "3").splitlines()[-1] == "no picture: none has come yet"
