"""What a scenario is: a function that does harm and returns what became of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.compound import Compound
from tests.chaos.tally import Tally, compare


@dataclass(frozen=True, slots=True)
class Plan:
    """Where and how much. `scale` shortens what is long: 1.0 is what the promise speaks of."""

    folder: Path
    kills: int
    scale: float
    dice: random.Random

    def seconds(self, full: float) -> float:
        return max(2.0, full * self.scale)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`recovered`: seconds from the end of the fault to the first new event at the city."""

    tally: Tally
    recovered: Sequence[float] = ()
    door: Sequence[float] = ()  # seconds each door took while the daemon ran
    notes: Sequence[str] = ()
    may_drop: bool = False  # the daemon was killed: a card on the wire just then has no event
    faults: Sequence[str] = field(default=())  # what else was wrong

    @property
    def passed(self) -> bool:
        return self.tally.is_whole and not self.faults and (self.may_drop or not self.tally.dropped)


Run = Callable[[Plan], Outcome]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What to run, and the programs (see needs.py) without which it cannot."""

    run: Run
    needs: Sequence[str] = ("mosquitto",)


def judge(compound: Compound, *, settled: bool = False) -> Tally:
    """Let everything arrive, then compare."""
    if not settled:
        compound.settle()
    accepted = {**compound.witness.seen(), **{event["id"]: event for event in compound.house.events()}}
    time.sleep(0.5)
    for platform in compound.platforms:
        platform.take()
    received = {one.name: one.events for one in compound.platforms}
    strange = [fault for one in compound.platforms for fault in one.strange()]
    return compare(compound.presented(), accepted, received, strange)
