"""Plays a script to one camera's view of the vision child, as fast as the processor goes.

Rule: the looks, tracks, votes and rules are the program's own; only the clock is the film's.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.clock import ClockTrust, Stamp, now
from gateway.settings import Settings
from gateway.types import Frame, PlateSeen
from gateway.vision.capture import Capture
from gateway.vision.looks import Look
from gateway.vision.view import View
from gateway.vision.voting import vote
from tests.replay.script import Script
from tests.replay.street import Street

if TYPE_CHECKING:
    from gateway.types import Image

BORN = 1000.0  # the monotonic moment of the first frame
_AFTER_S = 8.0  # empty frames after the end, for tracks that are still open


@dataclass(slots=True)
class Played:
    seen: list[PlateSeen] = field(default_factory=list)
    counters: Counter[str] = field(default_factory=Counter)


def play(
    script: Script, street: Street, look: Look, settings: Settings, show: Callable[[Image], None] = lambda _: None
) -> Played:
    """Show every frame to the look and the view of the only camera."""
    played = Played()
    view = _view(settings, played.counters)
    began = now().time
    moments = [*script.moments()]
    moments += [script.seconds + number / 5 for number in range(round(_AFTER_S * 5))]
    for at in moments:
        chapter = script.chapter(at)
        seats = [seat for passage in script.passages if (seat := passage.seat(at)) is not None]
        pixels = street.frame(chapter.place, seats, chapter.light)
        show(pixels)
        frame = Frame(pixels, Stamp(began + timedelta(seconds=at), BORN + at, ClockTrust.SYNCED))
        told = view.see(frame, {"plate": look(view.prepared(frame))})
        played.seen += [one for one in told if isinstance(one, PlateSeen)]
    return played


def settings(folder: Path) -> Settings:
    """A site with one gate and its camera."""
    return Settings.model_validate(
        {
            "site": {"compound_id": "fenglinwan", "name": "枫林湾小区"},
            "gateway": {"id": "box-1", "data_dir": folder},
            "points": {"gate": {"name": "gate", "kind": "vehicle", "direction": "both"}},
            "cameras": {"cam": {"driver": "replay", "point": "gate", "recognise": ["plate"], "path": str(folder)}},
        }
    )


def _view(given: Settings, counters: Counter[str]) -> View:
    camera = given.cameras["cam"]
    capture = Capture("cam", camera, None, lambda _: None, threading.Event())  # type: ignore[arg-type]  # never run
    return View("cam", camera, capture, threshold=given.plate.threshold, vote=vote, counters=counters)
