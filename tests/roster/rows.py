"""Rows to put into a roster, and who is in it."""

from __future__ import annotations

from dataclasses import replace

from gateway.credentials import parse_credential
from gateway.roster import Roster
from gateway.roster.cells import Row

CARD = "em4100:62E3086CED"


def row(holder_id: str, *cards: str, line: int = 0, **change: object) -> Row:
    written = tuple(parse_credential(card) for card in cards)
    return replace(
        Row(holder_id, "某人", "resident", "owner", "1-1", written, (), None, None, None, line=line),
        **change,  # type: ignore[arg-type]
    )


def ids(roster: Roster) -> list[str]:
    return [entry.holder_id for entry in roster.list()]
