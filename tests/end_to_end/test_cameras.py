"""From outside: a car before a real RTSP stream becomes an event at a subscriber, who fetches its picture."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gateway.demo.pictures import drive
from tests.cameras.streaming import RtspServer, record
from tests.downlink.parts import Platform
from tests.house import GATE, SerialLine, Subscriber, door_house, prove_complete
from tests.real import Mosquitto, needed, wait_until

if TYPE_CHECKING:
    from gateway.types import Image

CAR = "鄂J12345"
CAMERA = """
driver = "rtsp"
url = "{url}"
roi = [[0.3, 0.2], [0.75, 0.2], [0.9, 1.0], [0.1, 1.0]]

[captures]
plate = true
uplinks = ["city"]

[commands]
allow = ["capture.get"]
"""
# No order is obeyed while nothing keeps the clock, and on a test machine nothing may: so the kernel is said to say yes.
KEPT_CLOCK = "int adjtimex(void *state) { (void)state; return 0; }"


def test_a_car_drives_by_and_the_platform_fetches_the_very_crop_that_was_read(
    tmp_path: Path, line: SerialLine, broker: Mosquitto
) -> None:
    drive(CAR, (52, 52, 150), tmp_path / "drive", 0)
    frames = sorted((tmp_path / "drive").iterdir())
    server = RtspServer(tmp_path, record(frames, tmp_path / "car.h264", fps=5))
    house = door_house(tmp_path, line, broker, GATE.format(camera=CAMERA.format(url=server.url)))
    house.environment["LD_PRELOAD"] = str(kept_clock(tmp_path))
    with server, Subscriber(broker.port) as platform, house:
        wait_until(lambda: platform.events("vehicle.passed"), what="the car's event")
        (event,) = platform.events("vehicle.passed")
        data = event["data"]
        assert event["subject"] == "gate"
        assert (data["plate_no"], data["capture"]) == (CAR, event["id"])
        assert data["reads"] >= 3
        commander = Platform(broker.port)
        reply = commander.order("capture.get", capture=data["capture"])
        commander.close()
        assert reply["code"] == "done", reply
        jpeg = base64.b64decode(reply["result"]["data"])
        (kept,) = (tmp_path / "data" / "captures").rglob(f"{event['id']}*.jpg")
        assert kept.read_bytes() == jpeg
        house.stop()
        prove_complete(platform.events())
    crop = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert crop is not None
    nearest, next_nearest, *_ = sorted(unlikeness(crop, frame, data["box"]) for frame in map(picture, frames))
    assert nearest < 20 < 40 < next_nearest  # levels of 255: one frame shows it where the event says, no other does


def picture(file: Path) -> Image:
    return np.asarray(cv2.imread(str(file)), np.uint8)


def unlikeness(crop: Image, frame: Image, box: list[int]) -> float:
    """By how many levels the crop differs from this place in the frame, a little air around it included."""
    left, top, right, bottom = box
    x, y = 0.08 * (right - left), 0.25 * (bottom - top)
    part = frame[max(0, round(top - y)) : round(bottom + y), max(0, round(left - x)) : round(right + x)]
    small = cv2.resize(part, (crop.shape[1], crop.shape[0]), interpolation=cv2.INTER_AREA)
    return float(np.abs(small.astype(np.float32) - crop.astype(np.float32)).mean())


def kept_clock(folder: Path) -> Path:
    source, shim = folder / "clock.c", folder / "clock.so"
    source.write_text(KEPT_CLOCK)
    subprocess.run([needed("gcc", "gcc libc6-dev"), "-shared", "-fPIC", "-o", shim, source], check=True)
    return shim
