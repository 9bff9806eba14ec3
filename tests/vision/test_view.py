"""One camera as the watch sees it: what is counted, and that each count reaches the door process."""

from __future__ import annotations

import re
import threading
from collections import Counter
from pathlib import Path

import numpy as np

from gateway import supervisor
from gateway.clock import now
from gateway.settings import Camera
from gateway.text import Language
from gateway.types import Box, Frame
from gateway.vision.capture import Capture
from gateway.vision.sightings import FaceMatch, FaceSighting
from gateway.vision.view import View
from gateway.vision.voting import vote

PIXELS = np.zeros((8, 8, 3), np.uint8)
BOX = Box(0, 0, 4, 4)


def test_strangers_of_a_still_are_no_event_only_a_counter() -> None:
    counters: Counter[str] = Counter()
    capture = Capture("cam", lambda: None, lambda _: None, threading.Event(), Language.EN)  # type: ignore[arg-type, return-value]
    camera = Camera(driver="folder", point="door", recognise=["face"])
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
