"""An IP camera's RTSP stream, decoded by the FFmpeg in OpenCV.

Rule: the login enters the URL only here, after the options were checked, and leaves in no message. Time-outs are set
twice, because each of the two alone was measured to fail: FFmpeg's own and OpenCV's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, Field

from drivers.cameras.credentials import login_of, sound_url, without_user
from drivers.cameras.reach import CABLE
from drivers.cameras.rtsp_probe import why
from gateway.clock import now
from gateway.errors import DeviceLost
from gateway.text import Text
from gateway.types import Frame

_OPEN_MS: Final = 4000
_READ_MS: Final = 2000
# Frames that wait at the camera when a stream opens come faster than it films; they show what was, not what is.
_BACKLOG_S: Final = 2.0
_LIVE_GAP_S: Final = 0.012  # a read that waited for so long waited for the camera
_KEY_S: Final = 40.0
_HUNG_UP_S: Final = 1.0  # a read that fails sooner did not wait for a picture
_KEY = Text("把摄像机的关键帧（I 帧）间隔设为 1–2 秒", "set the camera to a key picture (I frame) every 1 to 2 s")
_FLAGS: Final = f"rtsp_transport;%s|timeout;{_READ_MS * 1000}|fflags;nobuffer|flags;low_delay"


class Options(BaseModel, extra="forbid", frozen=True):
    """`username` and `password_file` rather than a login inside `url`."""

    url: Annotated[str, Field(pattern=r"^rtsps?://[^\s/]+(/\S*)?$"), AfterValidator(sound_url)]
    username: str = ""
    password_file: Path | None = None
    transport: Literal["tcp", "udp"] = "tcp"


def unusable(options: Options) -> Iterator[tuple[str, Text]]:
    return without_user(options.username, options.password_file)


class RtspCamera:
    """See `Camera` and `SkippingCamera`. A read may take some seconds (measured: 6) when the camera has gone silent."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._opened = time.monotonic()
        self._live = False

    def read(self) -> Frame | None:
        if not self._grab():
            return None
        good, pixels = self._stream.retrieve()
        if not good or pixels is None:
            raise _broke_off()
        return Frame(pixels, now())

    def skip(self) -> bool:
        return self._grab()

    def _grab(self) -> bool:
        """Wait for the next frame and decode it, which those after it need; False for one that is stale."""
        began = time.monotonic()
        if not self._stream.grab():
            raise _broke_off()
        if not self._live:
            waited = time.monotonic() - began
            self._live = waited > _LIVE_GAP_S or began - self._opened > _BACKLOG_S
        return self._live

    def close(self) -> None:
        self._stream.release()


def _broke_off() -> DeviceLost:
    return DeviceLost(
        Text("码流中断", "the stream broke off"),
        hint=Text("检查摄像机的供电和网络", "check the camera's power and network"),
    )


def connect(options: Options) -> RtspCamera:
    """Open the stream and wait for its first picture. Raises `DeviceLost` with the reason the camera gives."""
    import cv2

    login = login_of(options.url, options.username, options.password_file)
    settings = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_MS),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, _READ_MS),
        *(cv2.CAP_PROP_N_THREADS, 1),
    ]
    began = time.monotonic()
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _FLAGS % options.transport  # of this process, which has one camera
    stream = cv2.VideoCapture(login.url_with(options.url), cv2.CAP_FFMPEG, settings)
    if stream.isOpened() and _first_picture(stream):
        return RtspCamera(stream)
    opened = stream.isOpened()
    stream.release()
    waited = time.monotonic() - began
    if opened and waited > _KEY_S:
        raise DeviceLost(Text("{n:.0f} 秒内没有关键帧", "no key picture within {n:.0f} s").with_(n=waited), hint=_KEY)
    if not opened and waited > _OPEN_MS / 1000:  # asking once more would only take longer
        raise DeviceLost(Text("没有应答", "it does not answer"), hint=CABLE)
    raise why(options.url, login)


def _first_picture(stream: Any) -> bool:
    """Wait for a key picture: what comes before cannot be decoded. False where the camera hangs up or sends none."""
    until = time.monotonic() + _KEY_S
    while (began := time.monotonic()) < until:
        if stream.grab():
            return True
        if time.monotonic() - began < _HUNG_UP_S:
            return False
    return False
