"""Does the face at a door confirm the card, or contradict it? What even a face of low assurance is good for.

Rule: pure; time is the monotonic part of each stamp, memory is bounded. A face confirms at once. It contradicts only
when the time is up, the card's holder is known to this box by face and was not seen, and somebody else was who showed
no card: two neighbours who come in together are no alarm. Whoever is not enrolled is never suspected.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.types import CardRead, FaceSeen, Holder, Observation

WINDOW_S = 10.0  # between a card and a face that belong together
_REMEMBERED = 32  # cards and faces at one point
_KNOWN = 20_000  # people recognised since the start, the latest


@dataclass(frozen=True, slots=True)
class Match:
    """The card's holder was recognised at the same point."""

    read: CardRead
    seen: FaceSeen
    holder: Holder
    passage: str | None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Somebody else was recognised, and the card's holder was not."""

    read: CardRead
    seen: FaceSeen
    holder: Holder  # the card's
    other: Holder  # the face's
    passage: str | None


Finding = Match | Mismatch


@dataclass(slots=True)
class _Card:
    read: CardRead
    holder: Holder
    passage: str | None
    confirmed: bool = False


@dataclass(slots=True)
class _Point:
    cards: deque[_Card] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    past: deque[_Card] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))  # cards whose time is up
    faces: deque[tuple[FaceSeen, Holder]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class Witness:
    """The cards and faces of the last seconds at every point."""

    def __init__(self) -> None:
        self._points: dict[str, _Point] = {}
        self._known: OrderedDict[str, None] = OrderedDict()  # subjects this box has recognised

    def card(self, read: CardRead, holder: Holder, passage: str | None) -> list[Finding]:
        """A card that was granted."""
        there = self._points.setdefault(read.point, _Point())
        match = next((seen for seen, who in there.faces if who.id == holder.id and _near(read, seen)), None)
        there.cards.append(_Card(read, holder, passage, confirmed=match is not None))
        return [Match(read, match, holder, passage)] if match else []

    def face(self, seen: FaceSeen, holder: Holder) -> list[Finding]:
        """A face that was recognised."""
        self._known[seen.subject] = None
        self._known.move_to_end(seen.subject)
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        there = self._points.setdefault(seen.point, _Point())
        there.faces.append((seen, holder))
        for card in there.cards:
            if card.holder.id == holder.id and not card.confirmed and _near(card.read, seen):
                card.confirmed = True
                return [Match(card.read, seen, holder, card.passage)]
        return []

    def overdue(self, mono: float) -> Iterator[Finding]:
        """Cards whose time is up, and what the faces seen meanwhile say of them."""
        for there in self._points.values():
            while there.cards and mono - there.cards[0].read.stamp.mono > WINDOW_S:
                contradiction = self._contradiction(there.cards[0], there)
                there.past.append(there.cards.popleft())
                if contradiction is not None:
                    yield contradiction
            while there.faces and mono - there.faces[0][0].stamp.mono > 2 * WINDOW_S:
                there.faces.popleft()

    def _contradiction(self, card: _Card, there: _Point) -> Mismatch | None:
        if card.confirmed or card.holder.ref not in self._known:
            return None
        near = [(seen, who) for seen, who in there.faces if _near(card.read, seen)]
        about = (other for other in (*there.past, *there.cards) if _apart(other.read, card.read) <= WINDOW_S)
        with_card = {other.holder.id for other in about}
        if not near or any(who.id in with_card for _, who in near):
            return None  # nobody recognised, or a neighbour with a card of their own came in too
        seen, who = near[-1]
        return Mismatch(card.read, seen, card.holder, who, card.passage)


def _near(read: CardRead, seen: FaceSeen) -> bool:
    return _apart(read, seen) <= WINDOW_S


def _apart(one: Observation, other: Observation) -> float:
    return abs(one.stamp.mono - other.stamp.mono)
