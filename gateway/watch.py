"""The vision child: cameras in, observations out on a pipe. `python -m gateway.watch`, started by the supervisor.

Everything that feeds strangers' pixels to native code runs here and below, and not beside the doors: recognition in
this process, each camera's decoder in one of its own (`gateway.vision.nursery`), which may hang all by itself.
Rule: this process may crash, hang and leak; it is replaced. So it keeps nothing: pictures are settled by the door
process, and the beat comes from the loop that does the work, never from a timer.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, BinaryIO, Final

from pydantic import ValidationError

from gateway.captures import kinds_of
from gateway.child import die_first, die_with_parent, own_stdout, rss_of
from gateway.errors import BadFrame, ModelError, StoreError
from gateway.lines import MAX_LINE
from gateway.settings import Camera, Settings
from gateway.types import Frame, Unreadable
from gateway.vision import heap
from gateway.vision.capture import Capture
from gateway.vision.letterbox import wanted
from gateway.vision.looks import Build, Look, Recogniser, build, look_near
from gateway.vision.nursery import Nursery
from gateway.vision.pace import Pace, share
from gateway.vision.view import Seen, View
from gateway.vision.voting import vote
from gateway.wire import (
    Beat,
    GiveUp,
    Hello,
    LooksAt,
    Message,
    Order,
    RecogniserFault,
    Reload,
    Reloaded,
    decode,
    encode,
)

log = logging.getLogger(__name__)

EXIT_USAGE: Final = 2
_BEAT_S: Final = 1.0
_TIDY_S: Final = 60.0  # so often unused memory goes back to the kernel
_NICE: Final = 5  # the doors come first
_OOM_SCORE: Final = 500


class Watch:
    """The loop that serves all cameras, each at its `fps`, the longest waiting first."""

    def __init__(self, settings: Settings, say: Callable[[Message], None], build: Build, nursery: Nursery) -> None:
        self._settings, self._say, self._build, self._nursery = settings, say, build, nursery
        self._counters: Counter[str] = Counter()
        self._arrived = threading.Event()
        self._loaded = threading.Event()
        self._looks: dict[str, Look] = {}
        self._loading: set[Recogniser] = {kind for camera in settings.cameras.values() for kind in camera.recognise}
        if not settings.face.enabled:
            self._loading.discard("face")
        self._wanted = frozenset(self._loading)
        self._orders: deque[Order] = deque()  # bounded by the pictures in flight
        self._next_beat = 0.0
        self._next_tidying = time.monotonic() + _TIDY_S
        self._views: dict[str, View] = {}
        self._paces: dict[str, Pace] = {}

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
        heap.give_back()
        self._loaded.set()

    def run(self, stop: threading.Event) -> None:
        self._take_up(self._settings, stop)
        while not stop.is_set():
            self._beat()
            while self._orders:
                self._obey(self._orders.popleft(), stop)
            view = self._next()
            if view is None:
                self._arrived.wait(0.05)
                self._arrived.clear()
                self._end_tracks()
            else:
                self._look(view)

    def order(self, order: Order) -> None:
        """To be obeyed by the loop. From any thread."""
        self._orders.append(order)

    def _obey(self, order: Order, stop: threading.Event) -> None:
        if isinstance(order, Reload):
            self._take_up(Settings.model_validate(order.settings), stop)
        elif view := self._views.get(order.device):
            view.give_up(order.origin, order.ends) if isinstance(order, GiveUp) else view.settle(order.token)

    def _take_up(self, settings: Settings, stop: threading.Event) -> None:
        """Begin with cameras that are new, end those that are gone, and touch no other."""
        before, self._settings = self._settings, settings
        for name in [name for name in self._views if settings.cameras.get(name) != before.cameras[name]]:
            self._views.pop(name).capture.end()
            del self._paces[name]
        if before is not settings:
            self._say(Reloaded())
        for name in settings.cameras.keys() - self._views.keys():
            self._views[name] = self._view(name)
            self._paces[name] = Pace(settings.cameras[name].fps)
            threading.Thread(target=self._capture, args=(self._views[name], stop), daemon=True).start()

    def _capture(self, view: View, stop: threading.Event) -> None:
        """One camera's thread. It begins when the models are there: a recording must not play to nobody."""
        while not self._loaded.wait(0.2):
            if stop.is_set():
                return
        view.capture.run(stop)

    def _end_tracks(self) -> None:
        for view in self._views.values():
            for seen in view.quiet():
                self._say(seen)

    def _view(self, name: str) -> View:
        camera, site = self._settings.cameras[name], self._settings.site
        most = self._settings.vision.max_decoder_rss
        small = wanted(self._settings, camera)
        capture = Capture(
            name, camera, self._nursery, self._say, self._arrived, language=site.language, max_rss=most, small=small
        )
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
            for name, view in self._views.items()
            if self._is_ready(view) and (since := view.waits_since(at)) is not None
        ]
        return self._views[min(waiting)[1]] if waiting else None

    def _is_ready(self, view: View) -> bool:
        """Whether a model of its kind works. With none its pictures wait: nothing is consumed unseen."""
        wanted = self._wanted.intersection(view.camera.recognise)
        return not wanted or any(kind in self._looks for kind in wanted)

    def _look(self, view: View) -> None:
        picture = view.take()
        if picture is None:
            return
        seen: list[Seen] = []
        began = time.monotonic()
        usual = not isinstance(picture, Unreadable) and picture.source is None
        if isinstance(picture, Unreadable):
            seen = view.unreadable(picture, self._settings.site.language)
        else:
            tried = [kind for kind in view.camera.recognise if kind in self._looks]
            if picture.origin is not None:
                self._say(LooksAt(view.name, picture.origin))
            frame = view.prepared(picture)
            usual = usual and not frame.thorough  # which is only taken where there is time for it
            looked = {kind: self._sightings(kind, frame, view.camera) for kind in tried}
            found = {kind: sightings for kind, sightings in looked.items() if sightings is not None}
            if found or not tried:  # else its last recogniser has just failed, and the picture counts as unseen
                seen = view.see(picture, found)
        if usual:
            ended = time.monotonic()
            self._paces[view.name].looked(ended, ended - began)
        for one in seen:
            self._say(one)

    def _sightings(self, kind: Recogniser, frame: Frame, camera: Camera) -> Sequence[Any] | None:
        try:
            return look_near(camera.roi if kind == "plate" else (), self._looks[kind], frame)
        except ModelError as error:
            self._off(kind, error)
            return None

    def _off(self, kind: Recogniser, error: ModelError | StoreError) -> None:
        self._looks.pop(kind, None)
        self._say(RecogniserFault(kind, error.say(self._settings.site.language)))

    def _beat(self) -> None:
        if time.monotonic() < self._next_beat:
            return
        at = time.monotonic()
        self._next_beat = at + _BEAT_S
        self._end_tracks()  # also where there is always a picture of another camera to look at
        if at >= self._next_tidying:
            self._next_tidying = at + _TIDY_S
            heap.give_back()
        pace = share(self._paces.values(), at)
        for view in self._views.values():
            view.pace = pace
        cameras = {name: view.beat() for name, view in self._views.items()}
        states: dict[str, str] = {
            kind: "loading" if kind in self._loading else "ready" if kind in self._looks else "off"
            for kind in sorted(self._wanted)
        }
        self._say(Beat(rss_of("self"), cameras, dict(self._counters), states, round(pace, 2)))


def main(build: Build = build) -> None:
    """Run until standard input ends. Never returns: native threads are not waited for."""
    pipe = own_stdout()
    _depend_on_parent()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s vision %(name)s: %(message)s")
    threading.excepthook = _end_with_traceback
    orders = sys.stdin.buffer
    try:
        settings = Settings.model_validate_json(orders.readline(MAX_LINE))
    except ValidationError as error:
        log.critical("no usable settings on standard input: %d faults", error.error_count())
        os._exit(EXIT_USAGE)
    nursery = Nursery()  # before there is a second thread
    say = _Speaker(pipe)
    say(Hello(os.getpid()))
    stop = threading.Event()
    watch = Watch(settings, say, build, nursery)
    for part in (partial(watch.load, stop), partial(_obey, watch, orders, stop)):
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
        if isinstance(order, Order):
            watch.order(order)
    stop.set()


def _depend_on_parent() -> None:
    """Die with the door process, give it processor and memory first, and leave Ctrl-C to it."""
    die_with_parent()
    os.nice(_NICE)
    die_first(_OOM_SCORE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_with_traceback(args: threading.ExceptHookArgs) -> None:
    """A bug in one thread ends the process: half a watch is none, and the supervisor starts a whole one."""
    log.critical("a thread ended", exc_info=(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback))
    os._exit(1)


if __name__ == "__main__":
    main()
