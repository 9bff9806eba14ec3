"""The vision child: cameras in, observations out on a pipe. `python -m gateway.watch`, started by the supervisor.

Everything that feeds strangers' pixels to native decoders runs here and not beside the doors.
Rule: this process may crash, hang and leak; it is replaced. So it keeps nothing: pictures are settled by the door
process, and the beat comes from the loop that does the work, never from a timer.

Known limit: all cameras share this process. A decoder that hangs ends it for all of them, for the second or two that
the supervisor needs to start the next.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic import ValidationError

from gateway.captures import kinds_of
from gateway.errors import BadFrame, ModelError, Rejected, StoreError
from gateway.registry import load_driver
from gateway.settings import Settings
from gateway.types import Frame, Unreadable
from gateway.vision.capture import Capture
from gateway.vision.looks import Build, Look, Recogniser, build
from gateway.vision.view import Seen, View
from gateway.vision.voting import vote
from gateway.wire import MAX_LINE, Beat, Hello, Message, RecogniserFault, Settle, decode, encode

log = logging.getLogger(__name__)

HUNG_S = 10.0  # a driver that has not returned for so long never will
EXIT_HUNG: Final = 3
EXIT_USAGE: Final = 2
_BEAT_S: Final = 1.0
_NICE: Final = 5  # the doors come first
_OOM_SCORE: Final = 500
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG: Final = 1


class Watch:
    """The loop that serves all cameras, each at its `fps`, the longest waiting first."""

    def __init__(self, settings: Settings, say: Callable[[Message], None], build: Build) -> None:
        self._settings, self._say, self._build = settings, say, build
        self._counters: Counter[str] = Counter()
        self._arrived = threading.Event()
        self._loaded = threading.Event()
        self._looks: dict[str, Look] = {}
        self._loading: set[Recogniser] = {kind for camera in settings.cameras.values() for kind in camera.recognise}
        if not settings.face.enabled:
            self._loading.discard("face")
        self._wanted = frozenset(self._loading)
        self._orders: deque[Settle] = deque()  # bounded by the pictures in flight
        self._next_beat = 0.0
        self.views = {name: self._view(name) for name in settings.cameras}

    def load(self, stop: threading.Event) -> None:
        """Load the models, one recogniser after the other; a fault of one leaves the others."""
        for kind in sorted(self._wanted):
            if stop.is_set():
                return
            try:
                self._looks[kind] = self._build(kind, self._settings)
            except (ModelError, StoreError) as error:
                self._off(kind, error)
            self._loading.discard(kind)
        self._loaded.set()

    def capture(self, name: str, stop: threading.Event) -> None:
        """One camera's thread. It begins when the models are there: a recording must not play to nobody."""
        while not self._loaded.wait(0.2):
            if stop.is_set():
                return
        self.views[name].capture.run(stop)

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._beat()
            while self._orders:
                order = self._orders.popleft()
                self.views[order.device].settle(order.token)
            view = self._next()
            if view is None:
                self._arrived.wait(0.05)
                self._arrived.clear()
                self._end_tracks()
            else:
                self._look(view)

    def _end_tracks(self) -> None:
        for view in self.views.values():
            for seen in view.quiet():
                self._say(seen)

    def settle(self, order: Settle) -> None:
        """The door process kept the events of an observation."""
        if order.device in self.views:
            self._orders.append(order)

    def _view(self, name: str) -> View:
        camera = self._settings.cameras[name]
        driver = load_driver("camera", camera.driver)
        options = driver.Options.model_validate(camera.options)
        language = self._settings.site.language
        capture = Capture(name, partial(driver.connect, options), self._say, self._arrived, language)
        threshold = self._settings.plate.threshold
        return View(
            name,
            camera,
            capture,
            threshold=threshold,
            vote=vote,
            counters=self._counters,
            rearm_s=self._settings.points[camera.point].rearm_s,
            shots=kinds_of(self._settings, name),
        )

    def _next(self) -> View | None:
        at = time.monotonic()
        waiting = [
            (since, name)
            for name, view in self.views.items()
            if self._is_ready(view) and (since := view.waits_since(at)) is not None
        ]
        return self.views[min(waiting)[1]] if waiting else None

    def _is_ready(self, view: View) -> bool:
        """Whether a model of its kind works. With none its pictures wait: nothing is consumed unseen."""
        wanted = self._wanted.intersection(view.camera.recognise)
        return not wanted or any(kind in self._looks for kind in wanted)

    def _look(self, view: View) -> None:
        picture = view.take()
        if picture is None:
            return
        seen: list[Seen] = []
        if isinstance(picture, Unreadable):
            seen = view.unreadable(picture, self._settings.site.language)
        else:
            tried = [kind for kind in view.camera.recognise if kind in self._looks]
            found = {kind: sightings for kind in tried if (sightings := self._sightings(kind, picture)) is not None}
            if found or not tried:  # else its last recogniser has just failed, and the picture counts as unseen
                seen = view.see(picture, found)
        for one in seen:
            self._say(one)

    def _sightings(self, kind: Recogniser, frame: Frame) -> Sequence[Any] | None:
        try:
            return self._looks[kind](frame)
        except ModelError as error:
            self._off(kind, error)
            return None

    def _off(self, kind: Recogniser, error: ModelError | StoreError) -> None:
        self._looks.pop(kind, None)
        self._say(RecogniserFault(kind, error.say(self._settings.site.language)))

    def _beat(self) -> None:
        if time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + _BEAT_S
        for view in self.views.values():
            if view.capture.busy_s() > HUNG_S:
                view.capture.hung()
                log.error("camera %s: its driver has not returned for %d s; this process ends", view.name, HUNG_S)
                os._exit(EXIT_HUNG)
        self._end_tracks()  # also where there is always a picture of another camera to look at
        cameras = {name: view.beat() for name, view in self.views.items()}
        states: dict[str, str] = {
            kind: "loading" if kind in self._loading else "ready" if kind in self._looks else "off"
            for kind in sorted(self._wanted)
        }
        self._say(Beat(_rss(), cameras, dict(self._counters), states))


def main(build: Build = build) -> None:
    """Run until standard input ends. Never returns: native threads are not waited for."""
    pipe = _own_pipe()
    _depend_on_parent()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s vision %(name)s: %(message)s")
    threading.excepthook = _end_with_traceback
    orders = sys.stdin.buffer
    try:
        settings = Settings.model_validate_json(orders.readline(MAX_LINE))
    except ValidationError as error:
        log.critical("no usable settings on standard input: %d faults", error.error_count())
        os._exit(EXIT_USAGE)
    say = _Speaker(pipe)
    say(Hello(os.getpid()))
    stop = threading.Event()
    try:
        watch = Watch(settings, say, build)
    except (Rejected, ValidationError) as error:
        log.critical("a camera cannot be set up: %s", error)
        os._exit(EXIT_USAGE)
    parts: list[Callable[[], None]] = [partial(watch.load, stop), partial(_obey, watch, orders, stop)]
    parts += [partial(watch.capture, name, stop) for name in watch.views]
    for part in parts:
        threading.Thread(target=part, daemon=True).start()
    watch.run(stop)
    os._exit(0)


class _Speaker:
    """Writes lines, whole ones, from any thread. Without a listener this process has no purpose."""

    def __init__(self, pipe: int) -> None:
        self._pipe, self._lock = pipe, threading.Lock()

    def __call__(self, message: Message) -> None:
        line = encode(message)
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._pipe, line) :]
            except OSError:
                os._exit(0)


def _obey(watch: Watch, orders: BinaryIO, stop: threading.Event) -> None:
    while line := orders.readline(MAX_LINE):
        try:
            order = decode(line)
        except BadFrame as error:
            log.warning("an order that is none: %s", error)
            continue
        if isinstance(order, Settle):
            watch.settle(order)
    stop.set()


def _own_pipe() -> int:
    """Take standard output for the lines alone: what a library prints goes to standard error."""
    pipe = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return pipe


def _depend_on_parent() -> None:
    """Die with the door process, give it processor and memory first, and leave Ctrl-C to it."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(_NICE)
    with suppress(OSError):  # where the kernel must end somebody for want of memory, us
        Path("/proc/self/oom_score_adj").write_text(f"{_OOM_SCORE}", encoding="ascii")
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_with_traceback(args: threading.ExceptHookArgs) -> None:
    """A bug in one thread ends the process: half a watch is none, and the supervisor starts a whole one."""
    log.critical("a thread ended", exc_info=(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback))
    os._exit(1)


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


if __name__ == "__main__":
    main()
