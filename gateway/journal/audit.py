"""Has anybody touched the journal? Checks the chains of alarms and audit rows, and that no sequence is missing.

Rule: everything is read in one snapshot, also while the daemon writes. A break is named by its sequence; what follows
is then judged by the hashes that lie there, so that one altered row is one break. What whoever writes the file can
forge as a whole, the hashes that left the box show: each alarm and audit event carries its own (`chain`), and `expect`
compares.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.clock import ClockTrust
from gateway.errors import StoreError
from gateway.journal import chain, purge, schema
from gateway.journal.sequence import last_noted
from gateway.journal.values import last_per_class, microseconds, parse_gaps
from gateway.text import Text

_MOST = 1000  # breaks that are listed


@dataclass(frozen=True, slots=True)
class Break:
    """Something was altered, removed or slipped in at `seq`, or just before it."""

    seq: int
    why: Text


@dataclass(slots=True)
class Chain:
    """One class. `first` is 0 where no row of it is chained; the row before it was purged up to `begins_after`."""

    rows: int = 0
    first: int = 0
    last: int = 0
    head: str = ""
    begins_after: int = 0


@dataclass(slots=True)
class Finding:
    """`breaks` in the order of the sequence; sound if there are none."""

    chains: dict[str, Chain] = field(default_factory=dict)
    first: int = 0
    last: int = 0
    rows: int = 0
    breaks: list[Break] = field(default_factory=list)
    mended_at: list[int] = field(default_factory=list)  # `alarm.journal_damaged`: what lies before may have holes

    @property
    def is_sound(self) -> bool:
        return not self.breaks

    def note(self, seq: int, zh: str, en: str, **values: object) -> None:
        if len(self.breaks) < _MOST:
            self.breaks.append(Break(seq, Text(zh, en).with_(**values)))


def verify(path: Path, *, after: int = 0, expect: Mapping[int, str] | None = None) -> Finding:
    """Check everything after sequence `after`. `expect`: hashes by sequence, as they were received elsewhere.

    Raises `StoreError` where the file cannot be read, `PermissionError` where the caller may not.
    """
    _refuse_absent(path)
    finding, noted = Finding(), last_noted(path)
    try:
        with closing(schema.open_reader(path)) as connection:
            connection.execute("BEGIN")
            _check_chains(connection, finding, after)
            _check_sequence(connection, finding, after)
            _check_end(connection, finding, noted)
            _check_expected(connection, finding, expect or {})
    except sqlite3.Error as error:
        raise schema.refusal(error, Text("事件库无法核查", "the journal cannot be checked")) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        failed = Text("事件库无法核查：{why}", "the journal cannot be checked: {why}").with_(why=error)
        raise StoreError(failed, hint=Text("详见网关的运行日志", "see the log of the gateway")) from error
    finding.breaks.sort(key=lambda found: found.seq)
    return finding


def _refuse_absent(path: Path) -> None:
    if not path.exists():
        raise StoreError(
            Text("{path} 处没有事件库", "there is no journal at {path}").with_(path=path),
            hint=Text("网关在此运行过吗？", "has the gateway run here yet?"),
        )


# ── the chains ────────────────────────────────────────────────────────────────────────────────────────────


def _check_chains(connection: sqlite3.Connection, finding: Finding, after: int) -> None:
    newest = connection.execute(
        "SELECT data FROM events WHERE class = 'audit' AND name = ? ORDER BY seq DESC LIMIT 1", (chain.CHECKPOINT,)
    ).fetchone()
    checkpoint: dict[str, Any] = json.loads(newest[0]) if newest else {}
    for kind in chain.CHAINED:
        found = finding.chains[kind.value] = Chain()
        found.begins_after, before = chain.begins_after(checkpoint, kind.value)
        rows = connection.execute(
            f"SELECT {schema.EVENT_COLUMNS} FROM events WHERE class = ? AND seq > ? ORDER BY seq", (kind.value, after)
        )
        if after > found.begins_after:
            before = _hash_before(connection, kind.value, after) or before
        _follow(rows, before, found, finding)
    _check_restored(connection, finding, after)


def _hash_before(connection: sqlite3.Connection, kind: str, after: int) -> str | None:
    """What the row before the first one to check says of itself."""
    row = connection.execute(
        "SELECT chain FROM events WHERE class = ? AND seq <= ? ORDER BY seq DESC LIMIT 1", (kind, after)
    ).fetchone()
    return row[0] if row else None


def _follow(rows: sqlite3.Cursor, before: str, found: Chain, finding: Finding) -> None:
    found.head = before
    for row in rows:
        seq, name, hashed = row[0], row[3], row[13]
        if name == "alarm.journal_damaged":
            finding.mended_at.append(seq)
        if hashed != chain.link(before, row):
            finding.note(
                seq,
                "校验链在此断开：这条{name}或它前面的记录被改动、删除或插入",
                "the chain breaks: this {name}, or what came before it, was altered, removed or slipped in",
                name=name,
            )
        before = found.head = hashed or ""
        found.rows, found.first, found.last = found.rows + 1, found.first or seq, seq


def _check_restored(connection: sqlite3.Connection, finding: Finding, after: int) -> None:
    """The time of a restamped row is not in its hash: it must be what the chained `audit.clock_set` row says."""
    booted: dict[str, list[tuple[int, int]]] = {}
    for seq, data in connection.execute(
        "SELECT seq, data FROM events WHERE class = 'audit' AND name = ? ORDER BY seq", (chain.CLOCK_SET,)
    ):
        told = json.loads(data)
        booted.setdefault(told["boot_id"], []).append((seq, microseconds(datetime.fromisoformat(told["booted_at"]))))
    for seq, boot, time_us, uptime_ms in connection.execute(
        "SELECT seq, boot_id, time_us, uptime_ms FROM events"
        " WHERE class IN ('alarm', 'audit') AND clock = ? AND seq > ? ORDER BY seq",
        (ClockTrust.RESTORED.value, after),
    ):
        zero = next((zero for told_at, zero in booted.get(boot, ()) if told_at > seq), None)
        if zero is not None and time_us != zero + uptime_ms * 1000:  # None: what told of it has gone by age
            finding.note(seq, "时间被改动", "its time was altered")


# ── the sequence ──────────────────────────────────────────────────────────────────────────────────────────


def _check_sequence(connection: sqlite3.Connection, finding: Finding, after: int) -> None:
    """Each row names the last one of every class before it: those must be there, unless told of or purged."""
    purged, damage = purge.purged(connection), _told_damage(connection)
    anywhere = max(purged.values(), default=0)
    seen: dict[str, int] = {}
    expected = after + 1
    for seq, kind, gaps in _sequences(connection, after):
        finding.first, finding.last, finding.rows = finding.first or seq, seq, finding.rows + 1
        if seq > max(expected, anywhere + 1) and not _is_told(max(expected, anywhere + 1), seq - 1, damage):
            _note_missing(finding, max(expected, anywhere + 1), seq - 1)
        named = last_per_class(seq, kind, gaps)
        for other, last in named.items():
            is_claimed = max(after, purged.get(other, 0)) < last <= anywhere  # beyond, a hole was seen above
            if is_claimed and last not in (seq, seen.get(other, 0)) and not _is_told(last, last, damage):
                _note_missing(finding, last, last)
        seen |= named
        expected = seq + 1


def _check_end(connection: sqlite3.Connection, finding: Finding, noted: int) -> None:
    """`noted`, read before the snapshot: a sequence that the daemon knows to have been on the disk."""
    last = max(finding.last, *purge.purged(connection).values(), 0)
    if noted > last:
        _note_missing(finding, last + 1, noted)


def _sequences(connection: sqlite3.Connection, after: int) -> Iterator[tuple[int, str, tuple[int, ...]]]:
    for seq, kind, gaps in connection.execute(
        "SELECT seq, class, gaps FROM events WHERE seq > ? ORDER BY seq", (after,)
    ):
        yield seq, kind, parse_gaps(gaps)


def _told_damage(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """Stretches that a `loss` event declared missing when a damaged file was mended."""
    told = [json.loads(data) for (data,) in connection.execute("SELECT data FROM events WHERE class = 'loss'")]
    return [(loss["from"], loss["to"]) for loss in told if loss.get("cause") == "damage"]


def _is_told(first: int, last: int, damage: list[tuple[int, int]]) -> bool:
    return any(begin <= first and last <= end for begin, end in damage)


def _note_missing(finding: Finding, first: int, last: int) -> None:
    finding.note(
        first,
        "序号 {first} 至 {last} 缺失，没有说明原因",
        "the sequences {first} to {last} are missing and nothing tells why",
        first=first,
        last=last,
    )


# ── what others have seen ─────────────────────────────────────────────────────────────────────────────────


def _check_expected(connection: sqlite3.Connection, finding: Finding, expect: Mapping[int, str]) -> None:
    for seq, hashed in expect.items():
        row = connection.execute("SELECT chain FROM events WHERE seq = ?", (seq,)).fetchone()
        if row is None and seq <= max(found.begins_after for found in finding.chains.values()):
            continue  # gone by age since: there is nothing left to compare
        if row is None or row[0] != hashed.lower():
            finding.note(
                seq,
                "与上报时的校验值不同：事件库在此之后被改写",
                "its hash is not the one that was sent: the journal was rewritten since",
            )
