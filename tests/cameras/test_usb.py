"""A USB camera as far as a box without one can go: every reason not to open, each with its next step.

The kernel of the test machine has no Video4Linux, so no picture ever came through this driver (docs/cameras.md).
"""

from __future__ import annotations

import os
import pty

import pytest
from pydantic import ValidationError

from drivers.cameras import usb
from gateway.contracts import SkippingCamera
from gateway.errors import DeviceLost


def connect(device: str) -> usb.UsbCamera:
    return usb.connect(usb.Options(device=device))


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(DeviceLost, match=r"/dev/video77: No such file.*by-id"):
        connect("/dev/video77")


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_that_is_no_camera(device: str) -> None:
    with pytest.raises(DeviceLost, match=r"gives no picture .is it a camera"):
        connect(device)


def test_a_serial_port_is_no_camera() -> None:
    master, slave = pty.openpty()
    try:
        with pytest.raises(DeviceLost, match="gives no picture"):
            connect(os.ttyname(slave))
    finally:
        os.close(master)
        os.close(slave)


def test_a_device_that_may_not_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # the tests may run as root, whom nothing is refused
    with pytest.raises(DeviceLost, match=r"may not be opened .put the service's account into the group video"):
        connect("/dev/video0")


@pytest.mark.parametrize(
    "wrong", [{"device": "video0"}, {"device": "/dev/video0", "width": 1}, {"device": "/dev/x", "fps": 5}]
)
def test_options_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        usb.Options.model_validate(wrong)


class Stream:
    """OpenCV's side of it."""

    def __init__(self) -> None:
        self.grabs = 2
        self.released = False

    def grab(self) -> bool:
        self.grabs -= 1
        return self.grabs >= 0

    def retrieve(self) -> tuple[bool, object]:
        return True, object()

    def release(self) -> None:
        self.released = True


def test_one_that_is_pulled_out_is_lost() -> None:
    stream = Stream()
    camera = usb.UsbCamera(stream, "/dev/video0")
    assert isinstance(camera, SkippingCamera)
    assert camera.read() is not None
    assert camera.skip()
    with pytest.raises(DeviceLost, match=r"/dev/video0 sends no pictures"):
        camera.read()
    camera.close()
    assert stream.released
