"""The roster: the local copy of who may pass, in SQLite.

Rule: every change is one transaction, all of it or none, and refused as a whole while anything in it is wrong. The
doorkeeper never reads this file; it asks the `Register` that `snapshot` makes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Rejected, StoreError
from gateway.keys import Keys
from gateway.register import Register
from gateway.roster_cells import Fault, Row, suggestion
from gateway.roster_conflicts import conflicts
from gateway.roster_tables import delete, insert, last_change, mark_change, open_base, rows_of
from gateway.text import Text
from gateway.types import Holder

FILE_NAME = "roster.db"  # in the data directory


class RosterFaults(Rejected):
    """The rows were refused, all of them; `faults` says why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        super().__init__(
            Text("名册有 {count} 处错误，未作任何更改", "the roster has {count} faults; nothing was changed").with_(
                count=len(faults)
            ),
            hint=Text("改正后重新导入", "mend them and import again"),
        )


@dataclass(frozen=True, slots=True)
class Changes:
    """What an import did, or with `dry_run` would do: ids of holders."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Roster:
    """One roster file. Each call opens it, so any thread and any process may use it."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self._path = path
        self._keys = keys

    def import_rows(
        self, rows: Sequence[Row], *, dry_run: bool = False, replace: bool = False, faults: Sequence[Fault] = ()
    ) -> Changes:
        """Add and update the holders of `rows`; with `replace` remove those who are not among them.

        `faults` are those the file had already. Raises `RosterFaults` with them and with what contradicts the roster.
        """
        with self._transaction(keep=not dry_run) as base:
            known = {row.holder_id: row for row in rows_of(base)}
            given = {row.holder_id: row for row in rows}
            staying = {} if replace else {key: row for key, row in known.items() if key not in given}
            found = [*faults, *conflicts([*staying.values(), *rows])]
            if found:
                raise RosterFaults(found)
            changes = Changes(
                added=tuple(key for key in given if key not in known),
                updated=tuple(key for key, row in given.items() if key in known and known[key] != row),
                unchanged=tuple(key for key, row in given.items() if known.get(key) == row),
                removed=tuple(key for key in known if key not in given) if replace else (),
            )
            delete(base, (*changes.updated, *changes.removed))
            insert(base, (given[key] for key in (*changes.added, *changes.updated)))
            if changes.added or changes.updated or changes.removed:
                mark_change(base)
        return changes

    def add(self, row: Row, *, dry_run: bool = False) -> Changes:
        """Add one holder. Raises `Rejected` where the id is taken, `RosterFaults` where a card is."""
        if any(known.holder_id == row.holder_id for known in self.list()):
            raise Rejected(
                Text("住户“{id}”已在名册中", "holder '{id}' is in the roster already").with_(id=row.holder_id),
                hint=Text("要修改请加 --update", "to change the entry add --update"),
            )
        return self.import_rows([row], dry_run=dry_run)

    def remove(self, holder_ids: Sequence[str], *, dry_run: bool = False) -> Changes:
        """Remove holders with their cards and plates: all of them, or none where one is unknown (`Rejected`)."""
        with self._transaction(keep=not dry_run) as base:
            known = {row[0] for row in base.execute("SELECT id FROM holders")}
            for holder_id in holder_ids:
                if holder_id not in known:
                    raise Rejected(
                        Text("名册中没有住户“{id}”", "no holder '{id}' in the roster").with_(id=holder_id),
                        hint=suggestion(holder_id, known) if len(known) <= 50 else "compound-gateway roster list",
                    )
            delete(base, holder_ids)
            mark_change(base)
        return Changes(removed=tuple(dict.fromkeys(holder_ids)))

    def list(self) -> Sequence[Row]:
        """Every holder, by id."""
        with self._transaction(keep=False) as base:
            return tuple(rows_of(base))

    def ref(self, holder_id: str) -> str:
        """The keyed hash that events carry for this holder."""
        return self._keys.holder_ref(holder_id)

    def snapshot(self) -> Register:
        """The whole roster in memory, for the doorkeeper."""
        with self._transaction(keep=False) as base:
            rows = tuple(rows_of(base))
            _, as_of = last_change(base)
        return Register(
            (self._holder(row) for row in rows),
            ((card, row.holder_id) for row in rows for card in row.cards),
            ((plate, row.holder_id) for row in rows for plate in row.plates),
            as_of,
        )

    def version(self) -> str:
        """Another text after each change, whoever made it and even if the file itself was replaced."""
        with self._transaction(keep=False) as base:
            count, _ = last_change(base)
            return f"{self._path.stat().st_ino}.{count}"

    def _holder(self, row: Row) -> Holder:
        return Holder(
            id=row.holder_id,
            ref=self.ref(row.holder_id),
            name=row.name,
            kind=row.kind,
            category=row.category,
            room=row.room,
            points=row.points,
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            status=row.status,
        )

    @contextmanager
    def _transaction(self, *, keep: bool) -> Iterator[sqlite3.Connection]:
        """One transaction on a fresh connection; rolled back unless `keep`, and after every error."""
        base: sqlite3.Connection | None = None
        try:
            base = open_base(self._path)
            base.execute("BEGIN IMMEDIATE" if keep else "BEGIN")
            yield base
            base.execute("COMMIT" if keep else "ROLLBACK")
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                Text("名册 {path} 无法读写：{error}", "the roster {path} cannot be used: {error}").with_(
                    path=self._path, error=error
                ),
                hint=Text(
                    "检查磁盘空间和权限；文件损坏时将其移走并重新导入",
                    "check disk space and permissions; move a damaged file away and import again",
                ),
            ) from error
        finally:
            if base is not None:
                base.close()  # an open transaction is rolled back
