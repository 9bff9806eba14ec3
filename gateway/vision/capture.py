"""One camera's thread in the recognising process: keeps a decoder for it, one after the other, and holds what it shows.

Rule: of a stream only the newest frame waits to be looked at; of a folder no picture is ever dropped, its decoder waits
until it is taken. A decoder that hangs, crashes or grows is ended alone, and the other cameras do not notice.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from gateway.errors import BadFrame
from gateway.presence import STEADY_S, Presence
from gateway.settings import Camera
from gateway.text import Language, spoken
from gateway.types import DeviceStatus, Frame, Unreadable
from gateway.vision.handover import Alive, FromDecoder, Opened, Settled, Shown, Spoilt, Taken, Task
from gateway.vision.letterbox import fit
from gateway.vision.nursery import Nursery
from gateway.vision.running import CameraGone, RunningDecoder
from gateway.vision.slots import Slots
from gateway.wire import DeviceReport

if TYPE_CHECKING:
    from gateway.types import Image

log = logging.getLogger(__name__)

OPEN_S: Final = 12.0  # until a camera is open; doubled while that was not enough, for one whose key pictures are rare
_LONGEST_OPEN_S: Final = 48.0
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 10.0
_WEIGH_S: Final = 1.0


class Capture:
    """`arrived` is set whenever there is something new to take. All but `run` may be called from another thread.

    `small`: height and width into which its decoder shrinks each picture for the detector of plates.
    """

    def __init__(
        self,
        name: str,
        camera: Camera,
        nursery: Nursery,
        report: Callable[[DeviceReport], None],
        arrived: threading.Event,
        *,
        language: Language = Language.EN,
        max_rss: int = 640 << 20,
        gated: bool = True,
        small: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._nursery, self._report, self._arrived, self._language = nursery, report, arrived, language
        table = camera.model_dump(mode="json")
        self._task = Task(name, camera.driver, table["options"], camera.fps, table["roi"], language, gated, list(small))
        self._max_rss = max_rss
        self._voice = threading.Lock()
        self._lock = threading.Lock()  # over the two that follow
        self._decoder: RunningDecoder | None = None
        self._waiting: Shown | Spoilt | None = None
        self._last_frame: float | None = None
        self._status: DeviceStatus | None = None
        self._presence = Presence()
        self._over = False

    def run(self, stop: threading.Event) -> None:
        """Until `stop`, or until this camera is no longer wanted: a decoder, and after it the next one."""
        delay, patience = _FIRST_DELAY_S, OPEN_S
        while not self._is_over(stop):
            decoder = RunningDecoder(self._nursery, self._task, patience)
            try:
                self._keep(decoder, stop)
            except CameraGone as gone:
                self._say(gone.status, spoken(gone.detail, self._language))
            finally:
                self._let_go(decoder)
            patience = min(_LONGEST_OPEN_S, 2 * patience) if decoder.was_too_slow else OPEN_S
            if self._presence.end() > STEADY_S:
                delay = _FIRST_DELAY_S
            self._rest(delay * random.uniform(0.5, 1.0), stop)
            delay = min(_LONGEST_DELAY_S, 2 * delay)

    def end(self) -> None:
        """This camera is no longer wanted: `run` returns soon, and after this it reports nothing any more."""
        with self._voice:
            self._over = True

    def take(self) -> Frame | Unreadable | None:
        """The picture that waits, once."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
            if waiting is None or self._decoder is None:
                return None
            if isinstance(waiting, Spoilt):
                self._decoder.tell(Taken(0, looked=True))
                return Unreadable(waiting.stamp, waiting.source, waiting.origin, waiting.fault)
            try:
                pixels, small = self._copy(self._decoder.slots, waiting)
            except BadFrame:  # it took its picture back: a slot less for it, and at the end it stalls
                log.warning("camera %s: a picture that was shown is not there", self.name)
                return None
            self._decoder.tell(Taken(waiting.slot, looked=True))
            return Frame(pixels, waiting.stamp, waiting.source, waiting.origin, small=small)

    def _copy(self, slots: Slots, shown: Shown) -> tuple[Image, Image | None]:
        """A picture and the small one behind it. Raises `BadFrame`."""
        pixels = slots.copy(shown.slot, shown.height, shown.width)
        if not self._task.small:
            return pixels, None
        to = fit((shown.height, shown.width), self._task.small)
        return pixels, slots.copy(shown.slot, to.height, to.width, behind=pixels.size)

    def settle(self, source: str) -> None:
        """The events of this still are kept. Where its decoder is gone by now, the next one shows it again."""
        with self._lock:
            if self._decoder is not None:
                self._decoder.tell(Settled(source))

    def waits(self) -> bool:
        """Whether there is a picture to take."""
        return self._waiting is not None

    def rests(self) -> bool:
        """Whether the camera is there and nothing moves before it: what was in view still is."""
        decoder = self._decoder
        return decoder is not None and decoder.alive.resting

    def frame_age_s(self) -> float | None:
        """Seconds since the camera last gave a picture, looked at or not."""
        last = self._last_frame
        return None if last is None else max(0.0, round(time.monotonic() - last, 3))

    def sent(self) -> int:
        """Frames since the camera was last opened, looked at or not."""
        decoder = self._decoder
        return 0 if decoder is None else decoder.alive.frames

    def memory(self) -> int:
        """Bytes of its decoder and of the pictures between the two."""
        with self._lock:
            return 0 if self._decoder is None else self._decoder.memory()

    def _keep(self, decoder: RunningDecoder, stop: threading.Event) -> None:
        """One decoder to its end. Returns when it is no longer wanted. Raises `CameraGone`."""
        with self._lock:
            self._decoder = decoder
        next_weighing = 0.0
        while not self._is_over(stop):
            for message in decoder.turn():
                self._take_in(decoder, message)
            if self._status is not DeviceStatus.ONLINE and self._presence.is_there:
                self._say(DeviceStatus.ONLINE)
            if time.monotonic() >= next_weighing:
                next_weighing = time.monotonic() + _WEIGH_S
                decoder.must_not_grow(self._max_rss)

    def _take_in(self, decoder: RunningDecoder, message: FromDecoder) -> None:
        match message:
            case Opened():
                self._presence.open()
            case Alive(last_mono=float(last)):
                self._last_frame = min(last, time.monotonic())
            case Shown() | Spoilt():
                self._last_frame = time.monotonic()
                with self._lock:
                    if isinstance(self._waiting, Shown):
                        decoder.tell(Taken(self._waiting.slot, looked=False))
                    self._waiting = message
                self._arrived.set()

    def _let_go(self, decoder: RunningDecoder) -> None:
        with self._lock:
            self._decoder = self._waiting = None
            decoder.end()

    def _is_over(self, stop: threading.Event) -> bool:
        return self._over or stop.is_set()

    def _rest(self, seconds: float, stop: threading.Event) -> None:
        end = time.monotonic() + seconds
        while not self._is_over(stop) and (left := end - time.monotonic()) > 0:
            stop.wait(min(left, 0.2))

    def _say(self, status: DeviceStatus, detail: str = "") -> None:
        with self._voice:
            if self._over:
                return
            if status is not self._status:
                level = logging.INFO if status is DeviceStatus.ONLINE else logging.WARNING
                log.log(level, "camera %s is %s %s", self.name, status, detail)
            self._status = status
            self._report(DeviceReport(self.name, status, detail))
