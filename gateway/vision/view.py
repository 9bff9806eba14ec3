"""One camera as the inference loop sees it: its capture, its tracks, its stills on their way.

Rule: a still's picture is settled when every observation that came of it is settled, and never before.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from math import inf
from typing import Any

from gateway.settings import Camera
from gateway.text import Language, Text, spoken
from gateway.types import FaceSeen, Frame, PictureDone, Plate, PlateSeen, ShotKind, Unreadable
from gateway.vision.capture import Capture
from gateway.vision.face_stream import FaceStream
from gateway.vision.looks import Recogniser, inside
from gateway.vision.shots import take
from gateway.vision.stills import faces_of, origin_of, plates_of, source_name
from gateway.vision.streams import REARM_S, PlateStream, Shoot
from gateway.wire import CameraBeat

Seen = PlateSeen | FaceSeen | PictureDone
_FPS_WINDOW_S = 10.0
_THOROUGH_S = 1.0
_DEADLY = Text("识别时进程异常终止（共 {n} 次）", "looking at it ended the recognition {n} times")
_LEAST_GAP_S, _MOST_GAP_S = 1.2, 10.0  # not seen for so long, a track has ended


class View:
    """Everything of one camera but its thread."""

    def __init__(
        self,
        name: str,
        camera: Camera,
        capture: Capture,
        *,
        threshold: float,
        vote: Callable[[Sequence[Plate]], Plate | None],
        counters: Counter[str],
        rearm_s: float = REARM_S,
        shots: frozenset[ShotKind] = frozenset(),
    ) -> None:
        """`shots`: the kinds of pictures that may be kept of what it sees."""
        self.name, self.camera, self.capture = name, camera, capture
        gap_s = max(_LEAST_GAP_S, 2.5 / camera.fps)
        self._counters = counters
        self._shots = shots
        self._plates = PlateStream(
            camera.point,
            name,
            threshold=threshold,
            gap_s=gap_s,
            vote=vote,
            count=self._count,
            rearm_s=rearm_s,
            approach=camera.approach,
        )
        self._faces = FaceStream(camera.point, name, gap_s=gap_s, count=self._count)
        self._still = False
        self._tokens = count(time.monotonic_ns())  # no token of an earlier process can mean a picture of this one
        self._owed: dict[int, str] = {}  # token -> source
        self._given_up: dict[str, int] = {}  # origin of a still -> how often it ended this process's predecessors
        self._looks: deque[float] = deque(maxlen=512)  # when frames were looked at
        self._due = 0.0
        self._sent: deque[tuple[float, int]] = deque(maxlen=32)  # when, and how many frames had come by then
        self._born = time.monotonic()
        self._threshold = threshold
        self._thorough_s = max(_THOROUGH_S, 3 / camera.fps)  # most looks stay usual ones, by which the pace is kept
        self._next_thorough = -inf  # a longer look is not worth it before
        self._was_thorough = False  # the last look: it is not the next one too, however long both take
        self.pace = 1.0  # the share of `fps` that this box has time for

    def waits_since(self, at: float) -> float | None:
        """When its picture was due; None where there is none, or it is too early for the camera's `fps`."""
        return self._due if self.capture.waits() and (self._still or at >= self._due) else None

    def take(self) -> Frame | Unreadable | None:
        """The waiting picture, which is then due to be looked at."""
        picture = self.capture.take()
        at = time.monotonic()
        if isinstance(picture, Frame) and (ends := self._given_up.get(picture.origin or "")):
            picture = Unreadable(picture.stamp, picture.source or "", picture.origin or "", _DEADLY.with_(n=ends))
        if picture is not None:
            if self._looks:  # a box too slow for `fps` looks less often: a track must not end between two looks
                gap_s = min(_MOST_GAP_S, max(_LEAST_GAP_S, 2.5 / self.camera.fps, 3 * (at - self._looks[-1])))
                self._plates.tracker.gap_s = self._faces.tracker.gap_s = gap_s
            self._looks.append(at)
            self._still = isinstance(picture, Unreadable) or picture.source is not None
        self._due = at if self._still else max(self._due + 1.0 / (self.camera.fps * self.pace), at)
        return picture

    def unreadable(self, picture: Unreadable, language: Language) -> list[Seen]:
        """A still that is no picture; its fault is told in `language`."""
        self._count("unreadable")
        return self._owe([self._done(picture, spoken(picture.fault, language))], picture.source)

    def prepared(self, frame: Frame) -> Frame:
        """The frame as it should be looked at: where plates are in doubt, and whether a longer look is worth it.

        It is once a second while something moves and no plate is clear, where the box has time for it, which only usual
        looks can tell: never two longer ones in turn. A still has no past.
        """
        if frame.source is not None:
            return frame
        mono = frame.stamp.mono
        has_time = self.pace >= 1.0 and not self._was_thorough
        thorough = "plate" in self.camera.recognise and has_time and mono >= self._next_thorough
        self._was_thorough = thorough
        if thorough:
            self._next_thorough = mono + self._thorough_s
        return replace(frame, doubts=tuple(self._plates.doubts(mono)), thorough=thorough)

    def see(self, frame: Frame, sightings: Mapping[Recogniser, Sequence[Any]]) -> list[Seen]:
        """Take what the recognisers found in a frame; return the passages that are certain by now or over."""
        found = {kind: self._within_roi(some, frame) for kind, some in sightings.items()}
        if frame.source is not None:
            return self._still_seen(frame, found)
        mono = frame.stamp.mono
        if any(one.plate.confidence >= self._threshold for one in found.get("plate", [])):
            self._next_thorough = mono + self._thorough_s
        plates = self._plates.see(found.get("plate", []), mono, self._shoot(frame))
        return [*plates, *self._faces.see(found.get("face", []), mono)]

    def quiet(self) -> list[Seen]:
        """End the tracks that are over, unless a picture waits that may go on with them.

        While nothing moves no picture comes, and what was in view is there all the same: its track goes on.
        """
        if self._still or self.capture.waits() or self.capture.rests():
            return []
        mono = time.monotonic()
        return [*self._plates.see([], mono), *self._faces.see([], mono)]

    def settle(self, token: int) -> None:
        """The events of one observation are kept."""
        source = self._owed.pop(token, None)
        if source is not None and source not in self._owed.values():
            self.capture.settle(source)

    def give_up(self, origin: str, ends: int) -> None:
        """Looking at this still has ended the process so often: it counts as unreadable."""
        self._given_up[origin] = ends

    def beat(self) -> CameraBeat:
        """How it is doing."""
        at = time.monotonic()
        while self._looks and at - self._looks[0] > _FPS_WINDOW_S:
            self._looks.popleft()
        watched = min(_FPS_WINDOW_S, max(1.0, at - self._born))
        return CameraBeat(
            self.capture.frame_age_s(),
            round(len(self._looks) / watched, 2),
            self._sent_fps(at),
            self.capture.rests(),
            self.capture.memory(),
        )

    def _sent_fps(self, at: float) -> float:
        """Frames a second that the camera sends."""
        sent = self.capture.sent()
        if self._sent and sent < self._sent[-1][1]:
            self._sent.clear()  # it was opened anew
        while self._sent and at - self._sent[0][0] > _FPS_WINDOW_S:
            self._sent.popleft()
        self._sent.append((at, sent))
        began, before = self._sent[0]
        return round((sent - before) / (at - began), 1) if at > began else 0.0

    def _still_seen(self, frame: Frame, found: Mapping[Recogniser, Sequence[Any]]) -> list[Seen]:
        seen: list[Seen] = []
        if "plate" in found:
            seen += plates_of(frame, found["plate"], self.camera.point, self.name, self._shoot(frame))
        faces = found.get("face", [])
        seen += faces_of(frame, faces, self.camera.point, self.name)
        for face in faces:
            if face.match is None:
                self._count("faces_unknown" if face.lives else "faces_not_live")
        return self._owe(seen or [self._done(frame)], frame.source or "")

    def _owe(self, seen: Sequence[Seen], source: str) -> list[Seen]:
        owed = []
        for one in seen:
            token = next(self._tokens)
            self._owed[token] = source
            owed.append(replace(one, token=token))
        return owed

    def _done(self, picture: Frame | Unreadable, fault: str = "") -> PictureDone:
        return PictureDone(
            self.camera.point,
            self.name,
            picture.stamp,
            source_name(picture.source),
            token=0,
            fault=fault,
            origin=origin_of(self.name, picture.origin, 0),
        )

    def _shoot(self, frame: Frame) -> Shoot:
        """What takes the pictures of a sighting in this frame."""
        kinds = self._shots
        return lambda sighting: take(frame.pixels, sighting.box, kinds) if kinds else ()

    def _within_roi(self, sightings: Sequence[Any], frame: Frame) -> list[Any]:
        height, width = frame.pixels.shape[:2]
        return [sighting for sighting in sightings if inside(sighting.box, self.camera.roi, width, height)]

    def _count(self, what: str) -> None:
        self._counters[f"camera.{self.name}.{what}"] += 1
