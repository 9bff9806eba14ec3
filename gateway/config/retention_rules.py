"""How long events and pictures are kept: written with a unit, and within limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.config.faults import Complain, Table, Where
from gateway.settings import Seconds
from gateway.text import Text

# Days. Who passed is kept no longer than anyone can need it; what proves abuse at least as long as logs must be.
_LONGEST, _LONGEST_PICTURES, _SHORTEST_PROOF = 1095, 90, 180
_PROOF = ("alarm", "audit")

_NO_UNIT = Text('{n} 缺少单位；按天写作 "{n}d"', '{n} of what? write it with a unit, such as "{n}d" for days')
_TOO_LONG = Text("保存期最长 {n}d：不得超过使用所需", "{n}d at most: no longer than it is needed")
_TOO_SHORT = Text("报警和审计至少保存 {n}d（不少于六个月）", "{n}d at least: alarms and audit stay for six months")

_SPAN: TypeAdapter[int] = TypeAdapter(Seconds)


def check_retention(table: Table, complain: Complain) -> None:
    """What the shape check refuses is left to it."""
    for where, value, least, most in _given(table):
        if type(value) is int and value > 0:  # 180 would be three minutes
            complain(where, _NO_UNIT.with_(n=value))
            continue
        try:
            days = _SPAN.validate_python(value) / 86_400
        except ValidationError:
            continue
        if days > most:
            complain(where, _TOO_LONG.with_(n=most))
        elif days < least:
            complain(where, _TOO_SHORT.with_(n=least))


def _given(table: Table) -> Iterator[tuple[Where, Any, int, int]]:
    """Each span with the least and the most days that it may be."""
    journal, captures = table.get("journal"), table.get("captures")
    retain = journal.get("retain") if isinstance(journal, dict) else None
    for name, value in retain.items() if isinstance(retain, dict) else ():
        yield ("journal", "retain", name), value, _SHORTEST_PROOF if name in _PROOF else 0, _LONGEST
    if isinstance(captures, dict) and "retain" in captures:
        yield ("captures", "retain"), captures["retain"], 0, _LONGEST_PICTURES
