"""The roster: the local copy of who may pass, in SQLite.

Rule: every change is one transaction, all of it or none, and refused as a whole while anything in it is wrong. The
doorkeeper never reads this file; it asks the `Register` that `snapshot` makes. After each change a copy is kept, by
which residents still come in when the file is damaged.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.credentials import Credential, Format
from gateway.errors import Rejected, StoreError
from gateway.keys import Keys
from gateway.register import Register
from gateway.roster.cells import Fault, Row, suggestion
from gateway.roster.changes import Changes, Delta, OutOfStep, merge
from gateway.roster.reading import dataset_of, last_change, open_to_read, rows_of
from gateway.text import Text
from gateway.types import Holder

if TYPE_CHECKING:
    from sqlite_utils import Database

log = logging.getLogger(__name__)

FILE_NAME = "roster.db"  # in the data directory
ABSENT = "absent"  # the version of a roster that nobody has written
Audit = Callable[[Changes], None]


def _unseen(_: Changes) -> None: ...


class Roster:
    """One roster file. Each call opens it, so any thread and any process may use it."""

    def __init__(self, path: Path, keys: Keys, tell: Callable[[Text], None] = log.warning) -> None:
        self._path = path
        self._keys = keys
        self._tell = tell  # what goes wrong beside a change that is made

    def import_rows(
        self,
        rows: Sequence[Row],
        *,
        dry_run: bool = False,
        replace: bool = False,
        faults: Sequence[Fault] = (),
        audit: Audit = _unseen,
    ) -> Changes:
        """Add and update the holders of `rows`; with `replace` remove those who are not among them.

        `faults` are those the file had already. Raises `RosterFaults` with them and with what contradicts the roster.
        `audit` is called before the commit, and never for a dry run.
        """
        with self._writing(keep=not dry_run) as base:
            changes = merge(base, rows, replace=replace, faults=faults)
            if not dry_run:
                audit(changes)
        return changes

    def apply(self, delta: Delta) -> Changes:
        """Apply a platform's delta and note its version, in one transaction. The same one again changes nothing.

        Raises `OutOfStep` where it does not follow what is here, `RosterFaults` where it contradicts itself.
        """
        with self._writing(keep=True) as base:
            current, digest = dataset_of(base.conn, delta.dataset)
            if delta.version == current and delta.digest == digest:
                return Changes()
            if delta.version <= current or (delta.base is not None and delta.base != current):
                raise OutOfStep(current)
            from gateway.roster import writing

            changes = merge(base, delta.rows, replace=delta.base is None, faults=delta.faults, gone=delta.gone)
            writing.set_version(base, delta.dataset, delta.version, delta.digest)
        return changes

    def dataset(self, name: str) -> int:
        """The version of a platform's dataset that was applied last; 0 where none was."""
        with self._reading(self._path) as base:
            return dataset_of(base, name)[0] if base else 0

    def revoke(self, ref: str) -> str | None:
        """Mark as lost the holder of this reference, `h:…` or that of a card, `c:…`; return the holder's `h:…`.

        None where nobody here has it. All cards and plates of a lost holder are refused.
        """
        with self._writing(keep=True) as base:
            holder_id = next((row.holder_id for row in rows_of(base.conn) if ref in self._refs(row)), None)
            if holder_id is None:
                return None
            from gateway.roster import writing

            writing.set_status(base, holder_id, "lost")
            writing.mark_change(base)
        return self.ref(holder_id)

    def erase(self, ref: str) -> bool:
        """Remove the holder of this reference with cards and plates; False where nobody here has it."""
        with self._writing(keep=True) as base:
            gone = [row.holder_id for row in rows_of(base.conn) if self.ref(row.holder_id) == ref]
            if gone:
                from gateway.roster import writing

                writing.delete(base, gone)
                writing.mark_change(base)
        return bool(gone)

    def _refs(self, row: Row) -> Iterator[str]:
        """By what events may name this holder: a reader may send fewer bytes of a card than the roster knows."""
        yield self.ref(row.holder_id)
        for card in row.cards:
            yield self._keys.credential_ref(card)
            for length in range(len(card.tail), len(card.value)) if card.tail else ():
                yield self._keys.credential_ref(Credential(Format.HEX, card.value[-length:]))

    def add(self, row: Row, *, dry_run: bool = False, audit: Audit = _unseen) -> Changes:
        """Add one holder. Raises `Rejected` where the id is taken, `RosterFaults` where a card is."""
        if any(known.holder_id == row.holder_id for known in self.list()):
            raise Rejected(
                Text("住户“{id}”已在名册中", "holder '{id}' is in the roster already").with_(id=row.holder_id),
                hint=Text("要修改请加 --update", "to change the entry add --update"),
            )
        return self.import_rows([row], dry_run=dry_run, audit=audit)

    def remove(self, holder_ids: Sequence[str], *, dry_run: bool = False, audit: Audit = _unseen) -> Changes:
        """Remove holders with their cards and plates: all of them, or none where one is unknown (`Rejected`)."""
        from gateway.roster import writing

        with self._writing(keep=not dry_run) as base:
            known = {row[0] for row in base.execute("SELECT id FROM holders")}
            for holder_id in holder_ids:
                if holder_id not in known:
                    raise Rejected(
                        Text("名册中没有住户“{id}”", "no holder '{id}' in the roster").with_(id=holder_id),
                        hint=suggestion(holder_id, known) if len(known) <= 50 else "compound-gateway roster list",
                    )
            writing.delete(base, holder_ids)
            writing.mark_change(base)
            changes = Changes(removed=tuple(dict.fromkeys(holder_ids)))
            if not dry_run:
                audit(changes)
        return changes

    def list(self) -> Sequence[Row]:
        """Every holder, by id. Raises `StoreError` where the file is damaged, or has gone while its copy is there."""
        with self._reading(self._path) as base:
            if base:
                return tuple(rows_of(base))
        self._refuse_gone()
        return ()

    def ref(self, holder_id: str) -> str:
        """The keyed hash that events carry for this holder."""
        return self._keys.holder_ref(holder_id)

    def snapshot(self) -> Register:
        """The whole roster in memory, for the doorkeeper; an empty one where nobody has written any yet."""
        return self._register(self._path) or Register((), (), ())

    def last_good(self) -> Register | None:
        """The roster as it was after its last change, from the copy; None where there is none that can be read."""
        try:
            return self._register(self._copy)
        except StoreError:
            return None

    def version(self) -> str:
        """Another text after each change, whoever made it and even if the file itself was replaced.

        Raises `StoreError` where the file is damaged, or has gone while its copy is there.
        """
        with self._reading(self._path) as base:
            if base:
                count, _ = last_change(base)
                return f"{self._path.stat().st_ino}.{count}"
        self._refuse_gone()
        return ABSENT

    def _refuse_gone(self) -> None:
        """A roster with a copy was not always empty: nobody may take it for one and begin it anew with one holder."""
        if self._copy.exists():
            raise StoreError(
                Text("名册文件 {path} 不见了", "the roster {path} has gone").with_(path=self._path),
                hint=Text("重新导入名册；在此之前沿用上次的副本", "import it again; until then its last copy counts"),
            )

    @property
    def _copy(self) -> Path:
        return self._path.with_suffix(".last-good.db")

    def _register(self, path: Path) -> Register | None:
        with self._reading(path) as base:
            if base is None:
                return None
            rows = tuple(rows_of(base))
            _, as_of = last_change(base)
        return Register(
            (self._holder(row) for row in rows),
            ((card, row.holder_id) for row in rows for card in row.cards),
            ((plate, row.holder_id) for row in rows for plate in row.plates),
            as_of,
        )

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
    def _writing(self, *, keep: bool) -> Iterator[Database]:
        """One transaction; rolled back unless `keep`, and after every error. What was kept is copied."""
        from gateway.roster import writing

        with _as_store_error(self._path):
            base = writing.open_to_write(self._path)
            with closing(base.conn):  # an open transaction is rolled back
                yield base
                base.conn.execute("COMMIT" if keep else "ROLLBACK")
                if keep:
                    self._keep_copy(base)

    def _keep_copy(self, base: Database) -> None:
        """The change is made, and stays so where the disk takes no copy of it."""
        from gateway.roster import writing

        try:
            writing.copy(base.conn, self._copy)
            writing.forget_upgrade(self._path)
        except (sqlite3.Error, OSError) as error:
            self._tell(_NO_COPY.with_(path=self._copy, error=error))

    @contextmanager
    def _reading(self, path: Path) -> Iterator[sqlite3.Connection | None]:
        """One consistent view; None where there is no roster yet."""
        with _as_store_error(path):
            base = open_to_read(path)
            if base is None:
                yield None
                return
            with closing(base):
                base.execute("BEGIN")
                yield base


def points_named(path: Path) -> Counter[str]:
    """Every point that the roster gives access to by name, with how many holders. Raises `StoreError`."""
    named: Counter[str] = Counter()
    with _as_store_error(path):
        base = open_to_read(path)
        if base is not None:
            with closing(base):
                for written, holders in base.execute("SELECT points, count(*) FROM holders GROUP BY points"):
                    named.update(dict.fromkeys((written or "").split(";"), holders))
    del named[""]  # `*`, and whoever may pass nowhere
    return named


_NO_COPY = Text(
    "更改已生效，但副本 {path} 未能更新（{error}）；腾出磁盘空间后再导入一次",
    "the change counts, but its copy {path} could not be renewed ({error}): make room on the disk, then import again",
)


@contextmanager
def _as_store_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            Text("名册 {path} 无法读写：{error}", "the roster {path} cannot be used: {error}").with_(
                path=path, error=error
            ),
            hint=Text(
                "检查磁盘空间和权限；文件损坏时将其移走，重新导入后用 shred -u 销毁（内有姓名和卡号）",
                "check disk space and permissions; move a damaged file away, import again, then shred -u it: it holds "
                "names and card numbers",
            ),
        ) from error
