"""The comparison: what was presented, what was accepted, what each platform stored.

Rule: everything that was accepted must be at every platform that gets its class, or lie in the range of a `loss` event
that this platform has. Every `previous` must lead to an event that the platform has, or into such a range. One id has
one sequence and one sequence one id. Every message must be as docs/asyncapi.json says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """One platform's part."""

    stored: int  # different events
    duplicates: int
    lost: int
    explained: int
    gaps: int  # a `previous` that leads nowhere
    doubles: int  # an id under two sequences, or the reverse


@dataclass(frozen=True, slots=True)
class Tally:
    presented: int  # cards
    kept: int  # of these, how many have an event that was accepted
    told: int  # of the others, how many a `loss` event counts
    accepted: int  # events of all kinds
    platforms: Mapping[str, Received] = field(default_factory=dict)
    strange: Sequence[str] = ()  # messages that are not as the documents say

    @property
    def dropped(self) -> int:
        """Cards without an event, and nothing that says so. Fair only where the daemon was killed meanwhile."""
        return max(0, self.presented - self.kept - self.told)

    @property
    def is_whole(self) -> bool:
        parts = self.platforms.values()
        whole = not any(part.lost or part.gaps or part.doubles for part in parts)
        return self.accepted > 0 and whole and not self.strange


def compare(
    presented: Counter[str],
    accepted: Mapping[str, Event],
    platforms: Mapping[str, Iterable[Event]],
    strange: Sequence[str] = (),
) -> Tally:
    """`accepted` is by id; `platforms` gives each one's events in the order of arrival, repeats included."""
    found = {name: list(events) for name, events in platforms.items()}
    kept = Counter(event["data"].get("credential_ref") for event in accepted.values())
    told = [event["data"] for event in accepted.values() if _kind(event) == "loss"]
    return Tally(
        presented=presented.total(),
        kept=sum(min(count, kept[card]) for card, count in presented.items()),
        told=sum(loss["count"] for loss in told if loss["from"] is None),
        accepted=len(accepted),
        platforms={name: _judge(accepted, events) for name, events in found.items()},
        strange=strange,
    )


def _judge(accepted: Mapping[str, Event], events: list[Event]) -> Received:
    by_id = {event["id"]: event for event in events}
    kinds = {_kind(event) for event in events}
    holes = [event["data"] for event in by_id.values() if _kind(event) == "loss" and event["data"]["from"] is not None]
    wanted = [event for event in accepted.values() if _kind(event) in kinds]
    missing = [event for event in wanted if event["id"] not in by_id]
    explained = sum(_lies_in(event["sequence"], _kind(event), holes) for event in missing)
    sequences = {event["sequence"] for event in by_id.values()}
    chain = {event["previous"] for event in by_id.values()} - sequences - {0}
    pairs = {(event["id"], event["sequence"]) for event in events}
    return Received(
        stored=len(by_id),
        duplicates=len(events) - len(by_id),
        lost=len(missing) - explained,
        explained=explained,
        gaps=sum(not _lies_in(seq, None, holes) for seq in chain),
        doubles=2 * len(pairs) - len(by_id) - len(sequences),
    )


def _lies_in(sequence: int, kind: str | None, holes: list[Mapping[str, Any]]) -> bool:
    return any(
        hole["from"] <= sequence <= hole["to"] and (kind is None or hole["class"] in ("*", kind)) for hole in holes
    )


def _kind(event: Event) -> str:
    return str(event["type"].split(".")[1])
