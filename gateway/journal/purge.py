"""What the journal deletes: by age and by budget per class, by size, and when the disk runs short.

Rule: nothing goes in silence. Rows that had not reached every uplink, and rows that went for want of space, are told
of by a `loss` event in the same transaction. Alarms, losses and audit go by age only, and nothing goes by age while the
clock is not synced.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.clock import ClockTrust, Stamp, now
from gateway.journal import chain, weights
from gateway.journal.ages import Ages
from gateway.journal.values import microseconds
from gateway.settings import Journal as Policy
from gateway.types import Event, EventClass

CHUNK = 1000  # rows in one transaction: the lock is never held long
CHEAPEST_FIRST = (EventClass.DEVICE, EventClass.CHECK, EventClass.VERIFY, EventClass.ACCESS, EventClass.VEHICLE)
_DAY_US = 86_400_000_000
_SLACK = 0.95  # once over the budget, go down to this part of it
_SMALL = 256  # pages: a file that small is not what the disk is short of
_SPARE = 0.05  # when the disk runs short, keep this part of the file free for new events

Uplinks = Mapping[str, frozenset[EventClass]]


@dataclass(frozen=True, slots=True)
class Step:
    """One reason to delete. With `event_class` one of the first two limits is set, else one of the last two."""

    event_class: EventClass | None = None
    before_us: int = 0  # captured before this
    max_bytes: int | None = None  # of the class, or used pages of the file
    spare_in: int | None = None  # free pages inside the file, so that it need not grow, if it has more than so many


@dataclass(frozen=True, slots=True)
class Shed:
    """What one transaction deleted, and whether there is more to delete for the same step."""

    count: int
    told: list[Event]
    next: Step | None


def steps(policy: Policy, at: Stamp, folder: Path, *, is_full: bool = False) -> Iterator[Step]:
    """The reasons to delete at this moment. `is_full`: the disk has just refused to take more."""
    if at.trust is not ClockTrust.UNSYNCED:
        for kind in EventClass:
            before_us = microseconds(at.time) - getattr(policy.retain, kind.value) * 1_000_000
            if kind in chain.CHAINED:  # whole days of them: one checkpoint a day, not one a row
                before_us -= before_us % _DAY_US
            yield Step(event_class=kind, before_us=before_us)
    for kind in CHEAPEST_FIRST:
        budget = getattr(policy.budget, kind.value)
        if budget is not None:
            yield Step(event_class=kind, max_bytes=budget)
    yield Step(max_bytes=policy.max_bytes)
    if is_full or shutil.disk_usage(folder).free < policy.min_free:
        yield Step(spare_in=0 if is_full else _SMALL)


def delete(connection: sqlite3.Connection, step: Step, uplinks: Uplinks, ages: Ages, begun: set[Step]) -> Shed:
    """Delete at most `CHUNK` rows for one reason, inside the caller's transaction.

    `begun`: limits that were passed and are not yet undercut by the slack, whoever goes on with them.
    """
    if step.event_class and step.max_bytes is None:
        found = _too_old(connection, step.event_class, step.before_us, ages)
        return _remove(connection, step.event_class, found, uplinks, "retention", step if len(found) == CHUNK else None)
    if _is_short(connection, step, _SLACK if step in begun else 1.0):
        for kind in (step.event_class,) if step.event_class else CHEAPEST_FIRST:
            found = _oldest(connection, kind)
            if found:
                begun.add(step)
                return _remove(connection, kind, found, uplinks, "budget" if step.event_class else "space", step)
    begun.discard(step)
    return Shed(0, [], None)


def purged(connection: sqlite3.Connection) -> dict[str, int]:
    """Per class the highest sequence that was ever purged: what is missing up to there is not held to be lost."""
    fact = connection.execute("SELECT value FROM facts WHERE name = 'purged'").fetchone()
    found: dict[str, int] = json.loads(fact[0]) if fact else {}
    return found


def forget(connection: sqlite3.Connection, seq: int) -> bool:
    """Delete one row, which nobody can read, inside the caller's transaction; False if it has gone already."""
    found = connection.execute("SELECT CAST(class AS BLOB) FROM events WHERE seq = ?", (seq,)).fetchone()
    if found is None:
        return False
    weights.take_off(connection, found[0].decode(errors="replace"), [seq])
    connection.execute("DELETE FROM events WHERE seq = ?", (seq,))
    connection.execute("DELETE FROM dead_letters WHERE seq = ?", (seq,))
    return True


def _oldest(connection: sqlite3.Connection, kind: EventClass) -> list[int]:
    oldest = connection.execute("SELECT seq FROM events WHERE class = ? ORDER BY seq LIMIT ?", (kind.value, CHUNK))
    return [seq for (seq,) in oldest]


def _too_old(connection: sqlite3.Connection, kind: EventClass, before_us: int, ages: Ages) -> list[int]:
    """The oldest rows of the class that are past their age.

    What comes after a row of unknown age waits for it, and an unsynced row is not older than what came before it.
    """
    oldest = connection.execute(
        "SELECT seq, CASE WHEN clock != 'unsynced' THEN time_us END FROM events WHERE class = ? ORDER BY seq LIMIT ?",
        (kind.value, CHUNK),
    ).fetchall()
    ages.begin()
    past, is_one_young = [], False
    for seq, synced_us in oldest:
        if synced_us is None and is_one_young:
            continue
        time_us = ages.of(connection, seq) if synced_us is None else synced_us
        if time_us is None:
            break
        if time_us < before_us:
            past.append(seq)
        elif kind in chain.CHAINED:  # only the beginning of a chain may go
            break
        else:
            is_one_young = True
    return past


def _is_short(connection: sqlite3.Connection, step: Step, part: float) -> bool:
    limit = (step.max_bytes or 0) * part
    if step.event_class:
        return weights.read(connection).of.get(step.event_class.value, 0) > limit
    ((pages,),) = connection.execute("PRAGMA page_count")
    ((free,),) = connection.execute("PRAGMA freelist_count")
    ((size,),) = connection.execute("PRAGMA page_size")
    if step.max_bytes is not None:
        return bool((pages - free) * size > limit)
    return bool(pages > (step.spare_in or 0) and free < max(16, pages * _SPARE))


def _remove(
    connection: sqlite3.Connection, kind: EventClass, seqs: list[int], uplinks: Uplinks, cause: str, again: Step | None
) -> Shed:
    if not seqs:
        return Shed(0, [], None)
    unsent = _unsent(connection, kind, seqs, uplinks)
    told = [chain.checkpoint(connection, kind, seqs)] if kind in chain.CHAINED else []
    weights.take_off(connection, kind.value, seqs)
    connection.executemany("DELETE FROM events WHERE seq = ?", [(seq,) for seq in seqs])
    connection.executemany("DELETE FROM dead_letters WHERE seq = ?", [(seq,) for seq in seqs])
    highest = purged(connection)
    highest[kind.value] = max(seqs[-1], highest.get(kind.value, 0))
    connection.execute("INSERT OR REPLACE INTO facts VALUES ('purged', ?)", (json.dumps(highest),))
    lost = unsent if cause == "retention" else seqs
    if lost:
        told.append(_loss(kind, lost, len(unsent), cause))
    return Shed(len(seqs), told, again)


def _unsent(connection: sqlite3.Connection, kind: EventClass, seqs: list[int], uplinks: Uplinks) -> list[int]:
    """Those of `seqs` (ascending) that some uplink in use wants and has not passed."""
    missing: set[int] = set()
    for uplink, classes in uplinks.items():
        if kind not in classes:
            continue
        stretches = connection.execute("SELECT lane, after, upto FROM cursors WHERE uplink = ?", (uplink,)).fetchall()
        if not stretches:  # never connected: nothing was sent
            missing.update(seqs)
        for lane, after, upto in stretches:
            if (lane == "alarm") == (kind is EventClass.ALARM):
                missing.update(seq for seq in seqs if after < seq <= upto)
        dead = connection.execute(
            "SELECT seq FROM dead_letters WHERE uplink = ? AND seq BETWEEN ? AND ?", (uplink, seqs[0], seqs[-1])
        )
        missing.update({seq for (seq,) in dead} & set(seqs))
    return sorted(missing)


def _loss(kind: EventClass, seqs: list[int], unsent: int, cause: str) -> Event:
    data = {
        "class": kind.value,
        "from": seqs[0],
        "to": seqs[-1],
        "count": len(seqs),
        "unsent": unsent,
        "cause": cause,
    }
    return Event("loss", "journal", now(), data)
