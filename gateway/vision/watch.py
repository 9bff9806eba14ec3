"""The loop of the vision child: it serves all cameras, each at its `fps`, the longest waiting first.

Rule: it keeps nothing, since its process may end at any moment: pictures are settled by the door process. The beat
comes from here, where the work is done, never from a timer.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.captures import kinds_of
from gateway.child import rss_of
from gateway.errors import ModelError, StoreError
from gateway.settings import Camera, Settings
from gateway.types import Frame, Unreadable
from gateway.vision import heap
from gateway.vision.capture import Capture
from gateway.vision.letterbox import wanted
from gateway.vision.looks import Build, Look, Recogniser, look_near
from gateway.vision.nursery import Nursery
from gateway.vision.pace import Pace, share
from gateway.vision.view import Seen, View
from gateway.vision.voting import vote
from gateway.wire import Beat, GiveUp, LooksAt, Message, Order, RecogniserFault, Reload, Reloaded

_BEAT_S: Final = 1.0
_TIDY_S: Final = 60.0  # so often unused memory goes back to the kernel


class Watch:
    """`load` and `run` are one thread each; `order` may be called from any."""

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
