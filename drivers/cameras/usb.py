"""A camera on USB, through Video4Linux and OpenCV.

Rule: thin. What it asks of a camera (size, Motion-JPEG, a short queue) every webcam knows or ignores. No such camera
was at hand when this was written: see docs/cameras.md for what was never run.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from gateway.clock import now
from gateway.errors import DeviceLost
from gateway.text import Text
from gateway.types import Frame

_QUEUE: Final = 1  # frames that wait in the kernel; an old one shows what was
_PLUG = Text("检查插头；路径请用 /dev/v4l/by-id/ 下的", "check the plug, and name it by /dev/v4l/by-id/")


class Options(BaseModel, extra="forbid", frozen=True):
    """`device` is a path, best one under /dev/v4l/by-id/ since numbers change with every plugging."""

    device: Annotated[str, Field(pattern=r"^/dev/\S+$")]
    width: Annotated[int, Field(ge=160, le=7680)] = 1280
    height: Annotated[int, Field(ge=120, le=4320)] = 720


class UsbCamera:
    """See `Camera` and `SkippingCamera`."""

    def __init__(self, stream: Any, device: str) -> None:
        self._stream, self._device = stream, device

    def read(self) -> Frame | None:
        self.skip()
        good, pixels = self._stream.retrieve()
        if not good or pixels is None:
            raise self._unplugged()
        return Frame(pixels, now())

    def skip(self) -> bool:
        if not self._stream.grab():
            raise self._unplugged()
        return True

    def close(self) -> None:
        self._stream.release()

    def _unplugged(self) -> DeviceLost:
        return DeviceLost(
            Text("{device} 不再送图", "{device} sends no pictures").with_(device=self._device), hint=_PLUG
        )


def connect(options: Options) -> UsbCamera:
    """Open the device. Raises `DeviceLost` where it is missing, forbidden, in use or no camera."""
    import cv2

    device = options.device
    try:
        os.close(os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except PermissionError as error:
        hint = Text("把服务账号加入 video 组", "put the service's account into the group video")
        raise DeviceLost(
            Text("无权打开 {device}", "{device} may not be opened").with_(device=device), hint=hint
        ) from error
    except OSError as error:
        raise DeviceLost(f"{device}: {error.strerror}", hint=_PLUG) from error
    wanted = [
        *(
            cv2.CAP_PROP_FOURCC,
            cv2.VideoWriter.fourcc(*"MJPG"),
        ),  # uncompressed, USB 2 carries 1080p five times a second
        *(cv2.CAP_PROP_FRAME_WIDTH, options.width),
        *(cv2.CAP_PROP_FRAME_HEIGHT, options.height),
    ]
    stream = cv2.VideoCapture(device, cv2.CAP_V4L2, wanted)
    stream.set(cv2.CAP_PROP_BUFFERSIZE, _QUEUE)
    if not stream.isOpened() or not stream.grab():
        stream.release()
        hint = Text("确认它是摄像机，且没有被其他程序占用", "is it a camera, and does no other program use it?")
        raise DeviceLost(Text("{device} 没有画面", "{device} gives no picture").with_(device=device), hint=hint)
    return UsbCamera(stream, device)
