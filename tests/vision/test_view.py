"""One camera as the watch sees it: what is counted, and that each count reaches the door process."""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from gateway import supervisor
from gateway.clock import now
from gateway.settings import Camera
from gateway.types import Box, Frame, PlateSeen
from gateway.vision.capture import Capture
from gateway.vision.sightings import FaceMatch, FaceSighting, PlateSighting
from gateway.vision.view import View
from gateway.vision.voting import vote
from tests.striped import plate

PIXELS = np.zeros((8, 8, 3), np.uint8)
BOX = Box(0, 0, 4, 4)


def test_strangers_of_a_still_are_no_event_only_a_counter() -> None:
    counters: Counter[str] = Counter()
    camera = Camera(driver="folder", point="door", recognise=["face"])
    capture = Capture("cam", camera, None, lambda _: None, threading.Event())  # type: ignore[arg-type]  # never run
    view = View("cam", camera, capture, threshold=0.85, vote=vote, counters=counters)
    faces = [
        FaceSighting(BOX, now(), FaceMatch("h:1", 0.7, 0.5, 3, "low", "none")),
        FaceSighting(BOX, now(), None),
        FaceSighting(BOX, now(), None, lives=False),
    ]
    view._still = True
    seen = view.see(Frame(PIXELS, now(), source="a.jpg", origin="a.jpg/1/2"), {"face": faces})
    assert [getattr(one, "subject", None) for one in seen] == ["h:1"]
    assert counters == {"camera.cam.faces_unknown": 1, "camera.cam.faces_not_live": 1}


def test_the_door_process_takes_every_counter_of_a_camera() -> None:
    folder = Path(supervisor.__file__).parent / "vision"
    written = "".join((folder / name).read_text(encoding="utf-8") for name in ("view.py", "streams.py"))
    names = set(re.findall(r'"((?:plates|faces)_\w+|unreadable)"', written))
    assert names == supervisor._COUNTERS


def test_what_stands_still_is_still_there() -> None:
    """While the gate rests no picture comes, and no track ends for it."""
    capture = Resting("cam", Camera(driver="replay", point="gate"), None, lambda _: None, threading.Event())  # type: ignore[arg-type]
    view = View("cam", Camera(driver="replay", point="gate"), capture, threshold=0.85, vote=vote, counters=Counter())
    long_ago = replace(now(), mono=now().mono - 60)
    sure = PlateSighting(BOX, long_ago, plate(1, 0.9))
    for _ in range(2):  # one more would be told at once
        view.see(Frame(PIXELS, long_ago), {"plate": [sure]})
    assert view.quiet() == []
    capture.still = False
    assert [type(one) for one in view.quiet()] == [PlateSeen]


class Resting(Capture):
    still = True

    def rests(self) -> bool:
        return self.still


def test_a_longer_look_is_taken_once_a_second_while_no_plate_is_clear_and_the_box_has_time() -> None:
    camera = Camera(driver="replay", point="gate", recognise=["plate"])
    capture = Capture("cam", camera, None, lambda _: None, threading.Event())  # type: ignore[arg-type]  # never run
    view = View("cam", camera, capture, threshold=0.85, vote=vote, counters=Counter())
    start = now()

    def look(seconds: float, confidence: float | None = None) -> bool:
        stamp = replace(start, mono=start.mono + seconds)
        frame = view.prepared(Frame(PIXELS, stamp))
        view.see(frame, {"plate": [PlateSighting(BOX, stamp, plate(1, confidence))] if confidence else []})
        return frame.thorough

    assert [look(second) for second in (0.0, 0.2, 0.8, 1.1, 1.3)] == [True, False, False, True, False]
    assert not look(2.0, 0.9)
    assert [look(second, 0.5) for second in (2.5, 3.1)] == [False, True]
    view.pace = 0.9
    assert not look(5.0)
    seldom = View(
        "cam",
        Camera(driver="replay", point="gate", fps=1, recognise=["plate"]),
        capture,
        threshold=0.85,
        vote=vote,
        counters=Counter(),
    )
    stamps = [replace(start, mono=start.mono + second) for second in range(7)]
    assert [seldom.prepared(Frame(PIXELS, stamp)).thorough for stamp in stamps] == [True, *[False] * 2] * 2 + [True]
    slow = View("cam", camera, capture, threshold=0.85, vote=vote, counters=Counter())
    stamps = [replace(start, mono=start.mono + 2.4 * number) for number in range(4)]  # a box that takes so long a look
    assert [slow.prepared(Frame(PIXELS, stamp)).thorough for stamp in stamps] == [True, False, True, False]
    faces = Camera(driver="replay", point="gate", recognise=["face"])
    face = View("cam", faces, capture, threshold=0.85, vote=vote, counters=Counter())
    assert not face.prepared(Frame(PIXELS, start)).thorough
    still = Frame(PIXELS, start, source="a.jpg", origin="a")
    assert view.prepared(still) is still


def test_a_frame_knows_where_a_plate_in_doubt_should_be() -> None:
    camera = Camera(driver="replay", point="gate")
    capture = Capture("cam", camera, None, lambda _: None, threading.Event())  # type: ignore[arg-type]  # never run
    view = View("cam", camera, capture, threshold=0.85, vote=vote, counters=Counter())
    stamp = now()
    view.see(Frame(PIXELS, stamp), {"plate": [PlateSighting(BOX, stamp, plate(1, 0.5))]})
    assert view.prepared(Frame(PIXELS, stamp)).doubts == (BOX,)
