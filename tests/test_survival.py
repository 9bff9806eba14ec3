"""How long a box survives off line: the estimate by hand, and held against a real journal that fills up."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.clock import ClockTrust, Stamp
from gateway.journal import Cursor, Journal, weights
from gateway.journal.values import Usage
from gateway.settings import Budget, Retain
from gateway.settings import Journal as Policy
from gateway.survival import estimate, survive
from gateway.types import EventClass
from tests.facts import BOOT, NOON, event, stamp

ACCESS, DEVICE, ALARM = EventClass.ACCESS, EventClass.DEVICE, EventClass.ALARM
MIB = 1 << 20
DAY = 86_400
ALL = set(EventClass)


def usage(held: dict[EventClass, int], per_day: dict[EventClass, int]) -> Usage:
    return Usage(held=held, recent={kind: size * 2 for kind, size in per_day.items()}, span_s=2 * DAY, file=0)


def test_the_cheapest_class_goes_first_and_what_is_dearer_takes_its_room() -> None:
    found = survive(
        Policy(), usage({ACCESS: 10 * MIB, DEVICE: 10 * MIB}, {ACCESS: 4 * MIB, DEVICE: MIB}), 60 * MIB, ALL
    )
    assert found
    assert (found.event_class, found.limit) == (DEVICE, "space")
    assert found.days == pytest.approx((60 - 10) / 5)  # its own 10 MiB were sent and go before
    assert found.bytes_per_day == 5 * MIB
    only_doors = survive(Policy(), usage({DEVICE: 10 * MIB}, {ACCESS: 4 * MIB, DEVICE: MIB}), 60 * MIB, {ACCESS})
    assert only_doors
    assert only_doors.days == pytest.approx(60 / 4)


@pytest.mark.parametrize(
    ("policy", "days", "limit"),
    [
        (Policy(budget=Budget(access=7 * MIB)), 7, "budget"),
        (Policy(retain=Retain(access=3 * DAY)), 3, "age"),
        (Policy(), 100, "space"),
    ],
)
def test_budgets_and_ages_limit_it_too(policy: Policy, days: float, limit: str) -> None:
    found = survive(policy, usage({}, {ACCESS: MIB}), 100 * MIB, ALL)
    assert found
    assert (found.days, found.limit) == (pytest.approx(days), limit)


def test_too_little_is_no_measure() -> None:
    hasty = Usage(held={}, recent={ACCESS: MIB}, span_s=600.0, file=0)
    assert survive(Policy(), hasty, 100 * MIB, ALL) is None
    assert survive(Policy(), usage({}, {ALARM: MIB}), 100 * MIB, ALL) is None  # nothing that is ever shed
    assert survive(Policy(), usage({}, {ACCESS: MIB}), 100 * MIB, {DEVICE}) is None


def hourly(journal: Journal, hours: int, start: int = 0) -> None:
    """Ten passages and two device events an hour."""
    for hour in range(start, start + hours):
        at = Stamp(NOON + timedelta(hours=hour), 0.0, ClockTrust.SYNCED)
        names = ["access.granted"] * 10 + ["device.online"] * 2
        journal.append([event(n, name, stamp=at, data={"padding": "word " * 50}) for n, name in enumerate(names)], BOOT)


def test_the_estimate_holds_on_a_real_journal(tmp_path: Path) -> None:
    """What was said at the beginning of an outage, and when the first unsent event really went."""
    path = tmp_path / "journal" / "journal.db"
    journal = Journal(path)
    journal.register("city", ALL)
    hourly(journal, 48)
    journal.save_cursors("city", [Cursor("alarm", journal.last_seq, None), Cursor("live", journal.last_seq, None)])
    policy = Policy(max_bytes=1 * MIB, min_free=0)
    said = estimate(policy, journal, ALL)
    assert said
    assert (said.event_class, said.limit) == (DEVICE, "space")
    hours = 0
    while not any(row.data["unsent"] for row in journal.read_after(0, {EventClass.LOSS}, 100)):
        hourly(journal, 1, 48 + hours)
        hours += 1
        journal.purge(policy, stamp(-3600 * (48 + hours)))
    assert said.days == pytest.approx(hours / 24, rel=0.35)
    journal.close()


def test_the_weights_are_those_of_the_file_and_follow_what_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "journal.db"
    journal = Journal(path)
    hourly(journal, 400)
    assert journal.purge(Policy(min_free=0), stamp(-3600 * 400)) == 0
    journal.close()
    assert sum(Journal(path).usage().held.values()) == pytest.approx(path.stat().st_size, rel=0.25)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        before = _weigh(connection)
        oldest = [seq for (seq,) in connection.execute("SELECT seq FROM events WHERE class = 'access' LIMIT 500")]
        weights.take_off(connection, "access", oldest)
        connection.execute(f"DELETE FROM events WHERE seq <= {oldest[-1]} AND class = 'access'")
        after = _weigh(connection)
        sums = dict(connection.execute(f"SELECT class, sum({weights.WEIGHT}) FROM events GROUP BY class"))
    assert after.of == sums
    assert after.of["access"] < before.of["access"]
    assert after.of["device"] == before.of["device"]


def _weigh(connection: sqlite3.Connection) -> weights.Weights:
    known = weights.read(connection)
    while weights.count_on(connection, known):
        weights.save(connection, known)
    return known


def test_only_the_last_days_say_how_fast_events_come(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    hourly(journal, 24 * 10)
    future = Stamp(NOON + timedelta(days=9000), 0.0, ClockTrust.SYNCED)
    journal.append([event(1, stamp=future)], BOOT)  # somebody set the clock, and another one set it right again
    hourly(journal, 1, 24 * 10)
    found = journal.usage()
    assert found.span_s < 7 * DAY
    journal.close()
