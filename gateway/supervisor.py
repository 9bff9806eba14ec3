"""Keeps the vision child alive, from the door process: starts it, hears it, replaces it.

Rule: whatever the child does (crash, hang, leak, lie), the doors do not notice. What it says is believed only where it
fits the settings; while no child lives, its cameras have a fault on the board.
"""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from gateway.board import Board
from gateway.child import Child, ChildGone
from gateway.errors import BadFrame
from gateway.plausible import read_plausible
from gateway.presence import Presence
from gateway.settings import Settings
from gateway.suspects import Suspects
from gateway.text import Text
from gateway.types import DeviceStatus, FaceSeen, PictureDone, PlateSeen
from gateway.wire import Beat, DeviceReport, LooksAt, RecogniserFault, Reload, Reloaded, Settle, encode

log = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-m", "gateway.watch")
# FFmpeg and OpenCV write a line for each failed try, perhaps with an address; our own words say more. One thread each:
# the models know of no more, and the cores are the doors'.
QUIET: Final = {
    "OPENCV_LOG_LEVEL": "OFF",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
PART: Final = "supervisor"  # its beat on the board
_FIRST_DELAY_S, _LONGEST_DELAY_S = 1.0, 30.0
_STEADY_S: Final = 60.0  # a child that lived so long did not crash at its start
_START_S: Final = 60.0  # until it has loaded all: a slow box reads hundreds of megabytes of libraries and models
_BLOCK_S: Final = 0.2
_MOST_ORDERS: Final = 10_000  # settled pictures that are not yet written to the child
_COUNTERS: Final = frozenset({"plates_unreadable", "plates_repeated", "faces_unknown", "faces_not_live", "unreadable"})

_STALLED = Text("识别进程无响应，正在重启", "the vision process does not respond and is restarted")
_TOO_BIG = Text("识别进程内存达 {size} MiB，正在重启", "the vision process grew to {size} MiB and is restarted")
_BROKEN = Text("识别进程输出异常，正在重启", "the vision process says what it cannot mean and is restarted")

_REMOVED = Text("已从配置中删除", "no longer in the configuration")

Seen = PlateSeen | FaceSeen | PictureDone


class Supervisor:
    """One vision child after the other. `submit` may block; the child then waits."""

    def __init__(
        self, settings: Settings, submit: Callable[[Seen], object], board: Board, *, command: Sequence[str] = COMMAND
    ) -> None:
        self._settings, self._submit, self._board, self._command = settings, submit, board, command
        self._fresh: Settings | None = None  # to be taken up, by this child or the next
        self._asked: Settings | None = None  # of the child, which has not yet answered
        self._orders: deque[Settle] = deque(maxlen=_MOST_ORDERS)
        self._suspects = Suspects()
        self._starts = 0
        self._counted: Counter[str] = Counter()  # of this child, as last reported
        self._faults: dict[str, str] = {}
        self._presence = Presence()  # of one child after the other
        self._online: set[str] = set()  # cameras on line by the word of a child that may not stay
        self._beat_due = 0.0

    def settle(self, device: str, token: int) -> None:
        """The events of an observation are kept. Never blocks; called from any thread."""
        self._orders.append(Settle(device, token))

    def replace(self, settings: Settings) -> None:
        """Take up these settings: the child goes on with the cameras that are the same in both, if nothing else changed
        but cameras; else the next child begins with them. Returns at once; called from any thread.
        """
        self._fresh = settings

    def run(self, stop: threading.Event) -> None:
        """Keep a child until `stop`; back-off 1 → 30 s while they die young. Without cameras there is none."""
        delay = _FIRST_DELAY_S
        while not stop.is_set():
            self._take_up_fresh_settings()
            born = time.monotonic()
            try:
                if self._settings.cameras:
                    self._keep_one(stop)
                    self._presence = Presence()
                    continue
            except ChildGone as gone:
                self._presence.end()
                self._lost(gone.why)
                self._suspects.note_end()
            if time.monotonic() - born > _STEADY_S:
                delay = _FIRST_DELAY_S
            self._rest(delay * random.uniform(0.7, 1.0), stop)
            delay = min(_LONGEST_DELAY_S, 2 * delay)
        self._board.retire(PART)

    def _take_up_fresh_settings(self) -> None:
        """What was asked of the last child, and what has come since, is the next one's."""
        for given in (self._asked, self._fresh):
            if given is not None:
                self._adopt(given)
        self._asked = self._fresh = None

    def _adopt(self, fresh: Settings) -> None:
        gone = set(self._settings.cameras) - set(fresh.cameras)
        for name in sorted(gone):
            point = self._settings.cameras[name].point
            self._board.device(name, "camera", point, DeviceStatus.OFFLINE, _REMOVED.say(fresh.site.language))
        self._settings = fresh

    def _keep_one(self, stop: threading.Event) -> None:
        """One child from its start to its end. Returns on `stop`, and where the next one is to begin with more."""
        self._counted.clear()
        self._faults.clear()
        self._online.clear()
        child = Child(self._command, self._settings.model_dump_json().encode() + b"\n", QUIET)
        self._starts += 1
        self._presence.open()
        self._suspects.looks_at(None)
        for still in self._suspects.given_up():
            child.tell(encode(still))
        try:
            self._beat_due = time.monotonic() + _START_S
            next_weighing = 0.0
            looked = time.monotonic()
            while not stop.is_set() and self._goes_on(child):
                self._board.beat(PART)
                if self._online and self._presence.is_there:
                    self._say_online()
                while self._orders:
                    child.tell(encode(self._orders.popleft()))
                for line in child.exchange(_BLOCK_S):
                    self._hear(line, child.pid)
                at = time.monotonic()
                # The child cannot be heard while `submit` waits, nor while the box stands still.
                self._beat_due += max(0.0, at - looked - _BLOCK_S)
                looked = at
                if at > self._beat_due:
                    raise ChildGone(_STALLED)
                if at >= next_weighing:
                    next_weighing = at + 1.0
                    self._weigh(child)
            child.end_kindly()
        finally:
            child.kill()

    def _goes_on(self, child: Child) -> bool:
        """Whether this child may live on; where there are settings that it can take up as it runs, it is asked to."""
        fresh = self._fresh
        if fresh is None or self._asked is not None:
            return True
        same = fresh.model_copy(update={"cameras": self._settings.cameras}) == self._settings
        if self._faults or not same or not fresh.cameras or _kinds(fresh) != _kinds(self._settings):
            return False
        self._asked = fresh
        if self._fresh is fresh:
            self._fresh = None
        child.tell(encode(Reload(fresh.model_dump(mode="json"))))
        return True

    def _weigh(self, child: Child) -> None:
        if (rss := child.rss()) > self._settings.vision.max_rss:
            raise ChildGone(_TOO_BIG.with_(size=rss >> 20))

    def _hear(self, line: bytes, pid: int) -> None:
        try:
            message = read_plausible(line, self._settings, is_reloading=self._asked is not None)
        except BadFrame as error:
            log.error("vision child %d: %s", pid, error)
            raise ChildGone(_BROKEN) from error
        match message:
            case LooksAt():
                self._suspects.looks_at(message)
            case PlateSeen() | FaceSeen() | PictureDone():
                self._suspects.looks_at(None)
                self._submit(message)
            case DeviceReport(name=name, status=status, detail=detail):
                self._report(name, status, detail)
            case RecogniserFault(recogniser=recogniser, detail=detail):
                self._faults[recogniser] = detail
                log.error("the recogniser of %ss is off, the others go on: %s", recogniser, detail)
                for name, camera in self._settings.cameras.items():
                    if recogniser in camera.recognise:
                        self._report(name, DeviceStatus.FAULT, detail)
            case Beat():
                self._beat(message, pid)
            case Reloaded() if self._asked is not None:
                self._adopt(self._asked)
                self._asked = None
            case _:
                log.info("vision child %d has started", pid)

    def _report(self, name: str, status: DeviceStatus, detail: str) -> None:
        """How a camera is. One that streams but whose recogniser is off is of no use: a fault, for platforms to see."""
        camera = self._settings.cameras[name]
        off = [self._faults[kind] for kind in camera.recognise if kind in self._faults]
        if off and status is DeviceStatus.ONLINE:
            status, detail = DeviceStatus.FAULT, off[0]
        self._online.discard(name)
        if status is DeviceStatus.ONLINE and not self._presence.is_there:  # the last child soon ended: this one, too?
            self._online.add(name)
            return
        self._board.device(name, "camera", camera.point, status, detail)

    def _say_online(self) -> None:
        """Of cameras whose child stays, and which were not removed meanwhile."""
        for name in sorted(self._online.intersection(self._settings.cameras)):
            self._report(name, DeviceStatus.ONLINE, "")

    def _beat(self, beat: Beat, pid: int) -> None:
        loading = "loading" in beat.recognisers.values()  # which may hold Python's lock for seconds
        self._beat_due = time.monotonic() + (_START_S if loading else self._settings.vision.stall_s)
        self._suspects.looks_at(None)
        self._count(beat.counters)
        memory = beat.rss + sum(one.memory for one in beat.cameras.values())
        self._board.note(
            "vision",
            {
                "pid": pid,
                "restarts": self._starts - 1,
                "rss": beat.rss,
                "memory": memory,
                "pace": beat.pace,
                "recognisers": dict(beat.recognisers),
                "faults": dict(self._faults),
                "cameras": {name: asdict(one) for name, one in beat.cameras.items()},
            },
        )

    def _count(self, counters: Mapping[str, int]) -> None:
        for name, total in counters.items():
            _, _, rest = name.partition(".")
            camera, _, what = rest.partition(".")
            more = total - self._counted[name]
            if camera in self._settings.cameras and what in _COUNTERS and more > 0:
                self._counted[name] = total
                self._board.count(f"camera.{camera}.{what}", more)

    def _lost(self, why: Text) -> None:
        log.error("%s", why)
        detail = why.say(self._settings.site.language)
        for name, camera in self._settings.cameras.items():
            self._board.device(name, "camera", camera.point, DeviceStatus.FAULT, detail)
        facts = {"pid": None, "restarts": self._starts - 1, "lost": detail, "faults": dict(self._faults)}
        self._board.note("vision", facts)
        self._board.count("vision.lost")

    def _rest(self, seconds: float, stop: threading.Event) -> None:
        end = time.monotonic() + seconds
        while not stop.is_set() and self._fresh is None and (left := end - time.monotonic()) > 0:
            self._board.beat(PART)
            stop.wait(min(left, _BLOCK_S))


def _kinds(settings: Settings) -> set[str]:
    """What the cameras recognise, all together."""
    return {kind for camera in settings.cameras.values() for kind in camera.recognise}
