"""What contradicts itself across rows: a holder named twice, the same card on two holders.

Rule: a card, however it is written, belongs to one holder; otherwise nobody could say who came in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.credentials import Credential
from gateway.roster.cells import Fault, Row
from gateway.text import Text

_Card = tuple[Credential, int, Row]  # with the place of its row: the later row is at fault


def conflicts(rows: Sequence[Row]) -> Iterator[Fault]:
    """Every contradiction among `rows`, placed at the later row; the roster's own rows come first."""
    yield from _named_twice(rows)
    cards = [(card, place, row) for place, row in enumerate(rows) for card in row.cards]
    yield from _shared_cards(sorted(cards, key=lambda entry: len(entry[0].value)))


def _named_twice(rows: Sequence[Row]) -> Iterator[Fault]:
    first: dict[str, Row] = {}
    for row in rows:
        before = first.setdefault(row.holder_id, row)
        if before is not row and row.holder_id:
            yield Fault(
                row.line,
                "holder_id",
                Text("“{id}”已在第 {before} 行出现", "'{id}' stands on line {before} already").with_(
                    id=row.holder_id, before=before.line
                ),
                Text(
                    "一位住户只占一行：合并两行，卡号之间用 ; 分隔",
                    "one line a holder: merge them, cards separated by ;",
                ),
            )


def _shared_cards(cards: Sequence[_Card]) -> Iterator[Fault]:
    """Shortest first, so that each card needs three look-ups at most, whatever the roster holds."""
    owner: dict[bytes | Credential, tuple[int, Row]] = {}
    for card, place, row in cards:
        names: Sequence[bytes | Credential] = (card,)
        if card.tail is not None:
            names = [card.value[-length:] for length in range(len(card.tail), len(card.value) + 1)]
        for name in names:
            other = owner.get(name, (place, row))
            if other[1].holder_id != row.holder_id:
                (_, first), (_, second) = sorted((other, (place, row)), key=lambda entry: entry[0])
                yield _conflict(card, first, second)
                break
        owner.setdefault(names[-1], (place, row))


def _conflict(card: Credential, first: Row, second: Row) -> Fault:
    where = (
        Text("第 {line} 行的", "line {line}, ").with_(line=first.line)
        if first.line
        else Text("名册中的", "the roster, ")
    )
    return Fault(
        second.line,
        "cards",
        Text("卡 {card} 已属于{where}“{id}”", "card {card} is that of {where}'{id}'").with_(
            card=card.written(), where=where, id=first.holder_id
        ),
        Text("一张卡只属于一位住户，从其中一行删去", "a card belongs to one holder: remove it from one of them"),
    )
