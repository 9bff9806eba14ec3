"""What was told against what passed.

Rule: an observation belongs to the passage of its own number if one was in view then, else to the one whose number is
nearest; one that comes while no car is in view is false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.plate_rules import apart
from gateway.types import PlateSeen
from tests.replay.script import Passage, Script

_LATE_S = 2.5  # a read belongs to a car that has gone no longer ago


@dataclass(slots=True)
class Fate:
    """One passage and what was told of it: (number, confidence) each."""

    passage: Passage
    light: str
    told: list[tuple[str, float]] = field(default_factory=list)
    directions: list[str] = field(default_factory=list)

    @property
    def once(self) -> bool:
        return len(self.told) == 1

    @property
    def alone(self) -> bool:
        """Whether the photograph by itself is read right: what no tracking can mend, it shows."""
        return self.passage.car.alone == self.passage.car.number

    def right(self, threshold: float) -> bool:
        """Exactly one observation, certain, with the number on the plate."""
        return self.once and self.told[0][0] == self.passage.car.number and self.told[0][1] >= threshold


@dataclass(slots=True)
class Tally:
    fates: list[Fate]
    false: list[tuple[float, str, float]]  # seconds into the film, number, confidence

    def share(self, threshold: float) -> float:
        return sum(fate.right(threshold) for fate in self.fates) / max(1, len(self.fates))


def tally(script: Script, seen: Sequence[PlateSeen], born: float) -> Tally:
    """`born`: the monotonic moment of the film's first frame."""
    fates = [Fate(passage, script.chapter(passage.start).name) for passage in script.passages]
    false: list[tuple[float, str, float]] = []
    for one in seen:
        assert one.plate is not None, "a stream tells of plates only"
        at, number = one.stamp.mono - born, one.plate.number
        there = [fate for fate in fates if fate.passage.start - 0.5 <= at <= fate.passage.end + _LATE_S]
        if not there:
            false.append((at, number, one.plate.confidence))
            continue
        fate = min(there, key=lambda fate: (apart(number, fate.passage.car.number), abs(at - fate.passage.start)))
        fate.told.append((number, one.plate.confidence))
    return Tally(fates, false)


def lines(found: Tally, threshold: float) -> list[str]:
    """The table and, below it, each passage that did not go right."""
    kinds = sorted({(fate.light, fate.passage.kind) for fate in found.fates})
    rows = [f"{'light':8} {'kind':16} {'passages':>8} {'told once':>9} {'right':>6} {'photo right':>11}"]
    for light, kind in [*kinds, ("all", "all")]:
        some = [fate for fate in found.fates if light == "all" or (fate.light, fate.passage.kind) == (light, kind)]
        once, right = sum(fate.once for fate in some), sum(fate.right(threshold) for fate in some)
        alone = sum(fate.alone for fate in some)
        rows.append(f"{light:8} {kind:16} {len(some):8} {once:9} {right:6} {alone:11}")
    rows.append(f"right: {100 * found.share(threshold):.1f} % of {len(found.fates)}; false: {len(found.false)}")
    for fate in found.fates:
        if not fate.right(threshold):
            told = ", ".join(f"{number} {confidence:.2f}" for number, confidence in fate.told) or "nothing"
            passage = fate.passage
            rows.append(
                f"  {passage.start:6.1f} s {fate.light} {passage.kind}: {passage.car.number} "
                f"({passage.car.photo}, by itself {passage.car.alone or 'nothing'}) told as {told}"
            )
    rows += [f"  {at:6.1f} s false: {number} {confidence:.2f}" for at, number, confidence in found.false]
    return rows
