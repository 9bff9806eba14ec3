"""What is to change in the roster, and what a change did.

Rule: a change is judged whole, against what stays. With one fault nothing of it happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import Rejected
from gateway.roster.cells import Fault, Row
from gateway.roster.conflicts import conflicts
from gateway.roster.reading import rows_of
from gateway.text import Text

if TYPE_CHECKING:
    from sqlite_utils import Database


class RosterFaults(Rejected):
    """The rows were refused, all of them; `faults` says why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        super().__init__(
            Text("名册有 {count} 处错误，未作任何更改", "faults in the roster: {count}; nothing was changed").with_(
                count=len(faults)
            ),
            hint=Text("改正后重新导入", "mend them and import again"),
        )


class OutOfStep(Rejected):
    """A platform's delta does not follow what is here; `current` is the version that is."""

    def __init__(self, current: int) -> None:
        self.current = current
        super().__init__(
            Text(
                "名册现为第 {current} 版，与此次更改对不上", "the roster is at version {current}; this does not follow"
            ).with_(current=current),
            hint=Text("发送完整名册（full），版本号须更大", "send the whole roster (full) with a higher version"),
        )


@dataclass(frozen=True, slots=True)
class Delta:
    """What a platform sends: `rows` to put, holder ids that are `gone`.

    `base` is the version it follows; None: `rows` are the whole roster.
    """

    dataset: str
    version: int
    base: int | None
    rows: Sequence[Row]
    gone: Sequence[str]
    digest: str
    faults: Sequence[Fault] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What an import did, or with `dry_run` would do: ids of holders."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def merge(
    base: Database, rows: Sequence[Row], *, replace: bool, faults: Sequence[Fault], gone: Sequence[str] = ()
) -> Changes:
    """Put `rows` into an open transaction, take out who is `gone`. Raises `RosterFaults`."""
    known = {row.holder_id: row for row in rows_of(base.conn)}
    given = {row.holder_id: row for row in rows}
    leaving = known.keys() - given.keys() if replace else known.keys() & set(gone) - given.keys()
    staying = [row for key, row in known.items() if key not in given and key not in leaving]
    found = [*faults, *conflicts([*staying, *rows])]
    if found:
        raise RosterFaults(found)
    changes = Changes(
        added=tuple(key for key in given if key not in known),
        updated=tuple(key for key, row in given.items() if key in known and known[key] != row),
        unchanged=tuple(key for key, row in given.items() if known.get(key) == row),
        removed=tuple(key for key in known if key in leaving),
    )
    if changes.added or changes.updated or changes.removed:
        from gateway.roster import writing

        writing.delete(base, (*changes.updated, *changes.removed))
        writing.insert(base, (given[key] for key in (*changes.added, *changes.updated)))
        writing.mark_change(base)
    return changes
