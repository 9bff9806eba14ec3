"""One camera's thread in the vision child: connect, read, lost, connect again.

Rule: of a stream only the newest frame waits to be looked at; of a folder no picture is ever dropped, the thread waits
until it is taken. The camera object is touched by this thread alone, so `settle` only leaves a note for it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from gateway.contracts import Camera, StillCamera
from gateway.errors import DeviceLost
from gateway.text import Language, Text
from gateway.types import DeviceStatus, Frame, Unreadable
from gateway.wire import DeviceReport

log = logging.getLogger(__name__)
T = TypeVar("T")

_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 10.0
_LONGEST_DETAIL = 500


class Capture:
    """`arrived` is set whenever there is something new to take."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Camera],
        report: Callable[[DeviceReport], None],
        arrived: threading.Event,
        language: Language = Language.EN,
    ) -> None:
        self.name = name
        self._connect, self._report, self._arrived, self._language = connect, report, arrived, language
        self._lock = threading.Lock()
        self._picture: Frame | Unreadable | None = None
        self._settled: deque[str] = deque()  # bounded by what the camera lets be in flight
        self._busy_since: float | None = None
        self._last_frame: float | None = None
        self._status: DeviceStatus | None = None

    def run(self, stop: threading.Event) -> None:
        delay = _FIRST_DELAY_S
        while not stop.is_set():
            frames_before = self._last_frame
            try:
                self._read_until_lost(stop)
            except DeviceLost as error:
                self._say(DeviceStatus.OFFLINE, error.say(self._language))
            except Exception as error:  # noqa: BLE001 - the roof of a device's thread: a bug costs this camera alone
                at = traceback.extract_tb(error.__traceback__)[-1]
                # by kind and place, not by message: that may quote an address with its login
                self._say(DeviceStatus.FAULT, f"driver bug: {type(error).__name__} at {at.filename}:{at.lineno}")
            if self._last_frame != frames_before:
                delay = _FIRST_DELAY_S
            stop.wait(delay * random.uniform(0.5, 1.0))
            delay = min(_LONGEST_DELAY_S, 2 * delay)

    def take(self) -> Frame | Unreadable | None:
        """The picture that waits, once."""
        with self._lock:
            picture, self._picture = self._picture, None
        return picture

    def settle(self, source: str) -> None:
        """The events of this still are kept."""
        self._settled.append(source)

    def waits(self) -> bool:
        """Whether there is a picture to take."""
        return self._picture is not None

    def busy_s(self) -> float:
        """How long the driver has been in its present call."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def frame_age_s(self) -> float | None:
        """Seconds since the camera last gave a picture."""
        last = self._last_frame
        return None if last is None else round(time.monotonic() - last, 3)

    def hung(self) -> None:
        """Its driver does not return: say so, since its own thread cannot."""
        detail = Text(
            "摄像机读取无响应，识别进程将重启（请检查网线、电源和码流地址）",
            "its decoder does not return, the vision process restarts (check cable, power and stream address)",
        )
        self._say(DeviceStatus.OFFLINE, detail.say(self._language))

    def _read_until_lost(self, stop: threading.Event) -> None:
        camera = self._timed(self._connect)
        try:
            self._say(DeviceStatus.ONLINE)
            while not stop.is_set():
                if isinstance(camera, StillCamera):
                    while self._settled:
                        camera.settle(self._settled.popleft())
                    if self.waits():
                        stop.wait(0.02)
                        continue
                picture = self._timed(camera.read)
                if picture is not None:
                    self._keep(picture)
        finally:
            camera.close()

    def _keep(self, picture: Frame | Unreadable) -> None:
        self._last_frame = time.monotonic()
        with self._lock:
            self._picture = picture
        self._arrived.set()

    def _timed(self, call: Callable[[], T]) -> T:
        self._busy_since = time.monotonic()
        try:
            return call()
        finally:
            self._busy_since = None

    def _say(self, status: DeviceStatus, detail: str = "") -> None:
        if status is not self._status:
            level = logging.INFO if status is DeviceStatus.ONLINE else logging.WARNING
            log.log(level, "camera %s is %s %s", self.name, status, detail)
        self._status = status
        self._report(DeviceReport(self.name, status, detail[:_LONGEST_DETAIL]))
