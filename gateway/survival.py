"""How many days this box can be off line before an event is lost, from what it has written of late.

Rule: an estimate that errs on the low side where it errs. It supposes that the outage begins now, with everything sent,
and that the house goes on as in the last days. Nothing is lost while there is something cheaper, or sent already, to
delete instead: that is the order of `gateway.journal.purge`.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gateway.errors import StoreError
from gateway.journal import JournalReader
from gateway.journal.purge import CHEAPEST_FIRST
from gateway.journal.values import Usage
from gateway.settings import Journal as Policy
from gateway.text import Text
from gateway.types import EventClass

_DAY_S = 86_400
_SHORTEST_SPAN_S = 3600.0  # less than that says nothing of a day

_WHY = {
    "age": Text("到期删除（retain）", "its age (retain)"),
    "budget": Text("该类别的空间上限（budget）", "its byte budget"),
    "space": Text("磁盘空间（max_bytes、min_free）", "the space there is (max_bytes, min_free)"),
}


@dataclass(frozen=True, slots=True)
class Survival:
    """`event_class` is what goes first, after `days`; `limit` says why: age | budget | space."""

    days: float
    event_class: EventClass
    limit: str
    bytes_per_day: int

    def say(self) -> Text:
        said = Text(
            "断网后约 {days} 天内不丢事件；最先到限的是 {kind}：{why}",
            "off line, no event is lost for about {days} days; the first to go is {kind}, by {why}",
        )
        return said.with_(days=round(self.days, 1), kind=self.event_class.value, why=_WHY[self.limit])


def survive(policy: Policy, usage: Usage, capacity: int, wanted: Collection[EventClass]) -> Survival | None:
    """Of the classes that some uplink wants, the one that is lost first. None: too little was measured yet.

    `capacity`: bytes that the journal may take on this disk.
    """
    if usage.span_s < _SHORTEST_SPAN_S:
        return None
    rates = {kind: size * _DAY_S / usage.span_s for kind, size in usage.recent.items()}
    total = round(sum(rates.values()))
    found = [
        Survival(days, kind, limit, total)
        for kind in CHEAPEST_FIRST
        if kind in wanted and rates.get(kind)
        for days, limit in _limits(kind, policy, usage.held, rates, capacity)
    ]
    return min(found, key=lambda one: one.days, default=None)


def capacity(policy: Policy, usage: Usage, free: int) -> int:
    """Bytes that the journal may take on a disk with so much `free`."""
    return min(policy.max_bytes, max(0, usage.file + free - policy.min_free))


def estimate(policy: Policy, journal: JournalReader, wanted: Collection[EventClass]) -> Survival | None:
    """Measured on the journal as it is. Raises `StoreError`."""
    usage = journal.usage()
    try:
        free = shutil.disk_usage(journal.folder).free
    except OSError as error:
        raise StoreError(str(error)) from error
    return survive(policy, usage, capacity(policy, usage, free), wanted)


def _limits(
    kind: EventClass,
    policy: Policy,
    held: Mapping[EventClass, int],
    rates: Mapping[EventClass, float],
    room: int,
) -> list[tuple[float, str]]:
    """Days until unsent events of `kind` meet each of the three limits."""
    limits = [(getattr(policy.retain, kind.value) / _DAY_S, "age")]
    budget = getattr(policy.budget, kind.value)
    if budget is not None:
        limits.append((budget / rates[kind], "budget"))
    # What is cheaper goes before it, and so do its own rows of before the outage.
    dearer = set(EventClass) - set(CHEAPEST_FIRST[: CHEAPEST_FIRST.index(kind) + 1])
    taken = sum(held.get(other, 0) for other in dearer)
    growth = rates[kind] + sum(rates.get(other, 0.0) for other in dearer)
    return [*limits, (max(0, room - taken) / growth, "space")]
