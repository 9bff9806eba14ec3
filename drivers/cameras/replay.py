"""A video file, or a folder of images taken as the frames of one video, played at its pace. For tests and demos.

Rule: it behaves as a live camera does: a frame comes when it is due, never in a burst to make up for lost time. After
the end it stays open and shows nothing more, unless `loop` is set.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from drivers.cameras.pictures import decoder, inspect
from gateway.clock import now
from gateway.errors import DeviceLost
from gateway.text import Text
from gateway.types import Frame

if TYPE_CHECKING:
    from gateway.types import Image

_ENDINGS = (".jpg", ".jpeg", ".png")
_PUT = Text("放入 JPEG 或 PNG 文件", "put JPEG or PNG files into it")
_CORRECT = Text("改正 path", "correct `path`")
_MP4 = Text("请用 FFmpeg 能读的视频，如 MP4", "use a video file that FFmpeg knows, such as MP4")

PLAYS_RECORDING = True  # a `path` that is not there is a mistake in the configuration


class Options(BaseModel, extra="forbid", frozen=True):
    """`fps` is the pace; without it a video file has its own and a folder of images five a second."""

    path: Path
    fps: Annotated[float, Field(gt=0, le=120)] | None = None
    loop: bool = False


class ReplayCamera:
    """See the contract `Camera`. Images that cannot be decoded are skipped."""

    def __init__(self, frames: Iterator[Image], fps: float) -> None:
        self._frames, self._period = frames, 1.0 / fps
        self._due = time.monotonic()

    def read(self) -> Frame | None:
        wait = self._due - time.monotonic()
        if wait > 0.5:
            time.sleep(0.5)
            return None
        time.sleep(max(0.0, wait))
        pixels = next(self._frames, None)
        if pixels is None:
            self._due = time.monotonic() + 0.5
            return None
        self._due = max(self._due + self._period, time.monotonic() - self._period)
        return Frame(pixels, now())

    def close(self) -> None:
        """Nothing is held open between two reads but what the iterator frees itself."""


def connect(options: Options) -> ReplayCamera:
    """Open the video or the folder. Raises `DeviceLost` where there is nothing to play."""
    if options.path.is_dir():
        names = sorted(path for path in options.path.iterdir() if path.name.lower().endswith(_ENDINGS))
        if not names:
            raise DeviceLost(Text("{path} 中没有图片", "{path} has no images").with_(path=options.path), hint=_PUT)
        return ReplayCamera(_images(names, loop=options.loop), options.fps or 5.0)
    if not options.path.is_file():
        neither = Text("{path} 既不是视频也不是文件夹", "{path} is neither a video nor a folder")
        raise DeviceLost(neither.with_(path=options.path), hint=_CORRECT)
    return _video(options)


def _images(paths: list[Path], *, loop: bool) -> Iterator[Image]:
    decode = decoder()
    while True:
        shown = 0
        for path in paths:
            try:
                data = path.read_bytes()
            except OSError:
                continue
            pixels = decode(data) if not inspect(data).fault else None
            if pixels is not None:
                shown += 1
                yield pixels
        if not loop or not shown:
            return


def _video(options: Options) -> ReplayCamera:
    import cv2
    import numpy as np

    video = cv2.VideoCapture(str(options.path), cv2.CAP_FFMPEG)
    if not video.isOpened():
        raise DeviceLost(Text("{path} 无法播放", "{path} cannot be played").with_(path=options.path), hint=_MP4)
    own_pace = video.get(cv2.CAP_PROP_FPS)

    def frames() -> Iterator[Image]:
        shown = 0
        try:
            while True:
                good, pixels = video.read()
                if good:
                    shown += 1
                    yield np.asarray(pixels, np.uint8)
                elif options.loop and shown:
                    shown = 0
                    video.set(cv2.CAP_PROP_POS_FRAMES, 0)
                else:
                    return
        finally:
            video.release()

    return ReplayCamera(frames(), options.fps or (own_pace if 0 < own_pace <= 120 else 25.0))
