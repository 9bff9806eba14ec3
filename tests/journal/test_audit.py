"""Whoever edits the file afterwards is found out: altered, removed, slipped in, cut off, re-dated."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.clock import ClockTrust, Stamp
from gateway.errors import StoreError
from gateway.journal import Journal, migrations, restamp
from gateway.journal.audit import Finding, verify
from gateway.settings import Journal as Policy
from gateway.settings import Retain
from gateway.types import EventClass
from tests.facts import BOOT, NOON, event, stamp
from tests.test_fastjson import standard

DAY = 86_400
NAMES = ["access.granted", "alarm.tamper", "audit.command", "device.online"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """40 rows: alarms at 2, 6, 10, …; audit rows at 3, 7, 11, …; closed."""
    path = tmp_path / "journal" / "journal.db"
    journal = Journal(path)
    for start in range(0, 40, 10):
        journal.append([event(n, NAMES[n % 4]) for n in range(start, start + 10)], BOOT)
    journal.close()
    return path


def edit(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def broken_at(finding: Finding) -> list[int]:
    return [found.seq for found in finding.breaks]


def test_an_untouched_journal_is_sound_also_after_a_restart(path: Path) -> None:
    journal = Journal(path)
    journal.append([event(41, "alarm.tamper")], BOOT)
    finding = verify(path)  # while it is open
    journal.close()
    assert finding.is_sound
    assert (finding.first, finding.last, finding.rows) == (1, 41, 41)
    assert (finding.chains["alarm"].rows, finding.chains["alarm"].last) == (11, 41)
    assert (finding.chains["audit"].rows, finding.chains["audit"].first) == (10, 3)


def test_rows_of_the_standard_library_are_read_and_their_chain_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"score": 1e-05, "large": 1e16, "room": "3号楼"}
    before, now = event(41, "alarm.tamper", data=data), event(42, "alarm.tamper", data=data)
    with monkeypatch.context() as patch, closing(Journal(path)) as journal:
        patch.setattr("gateway.fastjson.write", lambda value: standard(value).encode())
        journal.append([before], BOOT)
    with closing(Journal(path)) as journal:
        journal.append([now], BOOT)
        assert [row.data for row in journal.read_after(40, set(EventClass), 9)] == [before.data, now.data]
        assert verify(path).is_sound


@pytest.mark.parametrize(
    ("statement", "first_broken"),
    [
        ("UPDATE events SET data = replace(data, '13', '99') WHERE seq = 14", 14),
        ("UPDATE events SET time_us = time_us + 1 WHERE seq = 14", 14),
        ("UPDATE events SET clock = 'restored' WHERE seq = 14", 14),
        ("UPDATE events SET name = 'alarm.cleared' WHERE seq = 14", 14),
        ("UPDATE events SET chain = NULL WHERE seq = 2", 2),
        ("UPDATE events SET chain = NULL WHERE class = 'alarm'", 2),
        ("UPDATE events SET chain = 'x' WHERE seq = 38", 38),
        ("UPDATE events SET subject = 'gate' WHERE seq = 39", 39),
        ("DELETE FROM events WHERE seq = 14", 14),  # missing; 18 then follows nothing
        ("DELETE FROM events WHERE seq = 13", 13),  # of a class without a chain
        ("DELETE FROM events WHERE seq <= 2", 1),
        ("DELETE FROM events WHERE seq >= 38", 38),
    ],
)
def test_the_first_broken_sequence_is_named(path: Path, statement: str, first_broken: int) -> None:
    edit(path, statement)
    assert broken_at(verify(path))[0] == first_broken


def test_one_altered_row_is_one_break_and_checking_can_begin_after_it(path: Path) -> None:
    edit(path, "UPDATE events SET data = '{}' WHERE seq = 14")
    assert broken_at(verify(path)) == [14]
    assert verify(path, after=14).is_sound
    assert verify(path, after=14).chains["alarm"].first == 18


def test_rows_that_change_places_are_found(path: Path) -> None:
    swap = "UPDATE events SET data = (SELECT data FROM events WHERE seq = {}) WHERE seq = {}"
    with closing(sqlite3.connect(path)) as connection:
        (kept,) = connection.execute("SELECT data FROM events WHERE seq = 2").fetchone()
        connection.execute(swap.format(6, 2))
        connection.execute("UPDATE events SET data = ? WHERE seq = 6", (kept,))
        connection.commit()
    assert broken_at(verify(path)) == [2, 6]


def test_a_journal_rewritten_as_a_whole_is_told_by_what_the_platform_received(path: Path, tmp_path: Path) -> None:
    journal = Journal(path)
    (sent,) = [row for row in journal.read_after(0, {EventClass.ALARM}, 100) if row.seq == 14]
    journal.close()
    assert sent.chain
    assert verify(path, expect={14: sent.chain}).is_sound
    forged = tmp_path / "forged" / "journal.db"
    journal = Journal(forged)
    journal.append([event(n, NAMES[n % 4], data={"point": "gate"}) for n in range(40)], BOOT)
    journal.close()
    assert verify(forged).is_sound
    assert broken_at(verify(forged, expect={14: sent.chain})) == [14]


def test_a_purge_leaves_a_checkpoint_and_the_chain_holds_from_there(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "journal.db"
    journal = Journal(path)
    old = stamp(30 * DAY)
    journal.append([event(n, NAMES[n % 4], stamp=old) for n in range(40)], BOOT)
    journal.append([event(n, NAMES[n % 4]) for n in range(40, 60)], BOOT)
    policy = Policy(retain=Retain(alarm=7 * DAY, audit=400 * DAY, access=7 * DAY), min_free=0)
    assert journal.purge(policy, stamp()) == 20
    (checkpoint,) = [row for row in journal.read_after(60, set(EventClass), 10) if row.name == "audit.checkpoint"]
    assert (checkpoint.data["class"], checkpoint.data["to"], checkpoint.data["count"]) == ("alarm", 38, 10)
    finding = verify(path)
    assert finding.is_sound
    assert (finding.chains["alarm"].begins_after, finding.chains["alarm"].first) == (38, 42)
    journal.purge(Policy(retain=Retain(alarm=7 * DAY, audit=7 * DAY), min_free=0), stamp(-400 * DAY))  # all of both
    journal.close()
    journal = Journal(path)
    journal.append([event(1, "alarm.tamper"), event(2, "audit.command")], BOOT)
    journal.close()
    finding = verify(path)
    assert finding.is_sound
    assert finding.chains["alarm"].begins_after == 58
    edit(path, "DELETE FROM events WHERE name = 'alarm.tamper'")
    assert not verify(path).is_sound


def test_alarms_and_audit_go_by_whole_days(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.append([event(n, "alarm.tamper", stamp=stamp(8 * DAY - n * 3600)) for n in range(24)], BOOT)
    week = Policy(retain=Retain(alarm=7 * DAY), min_free=0)
    assert 0 < journal.purge(week, stamp()) < 24
    assert journal.purge(week, stamp(-3600)) == 0  # the rest goes tomorrow, with one checkpoint
    assert journal.purge(week, stamp(-DAY)) > 0
    journal.close()


def test_a_restamped_row_stays_sound_and_its_time_cannot_be_changed(path: Path) -> None:
    journal = Journal(path)
    journal.append([event(50, "alarm.tamper", stamp=stamp(100, ClockTrust.UNSYNCED))], BOOT)
    assert journal.restamp(BOOT, stamp(-3600)) == 1
    journal.append([event(51, "alarm.tamper")], BOOT)
    journal.close()
    assert verify(path).is_sound
    edit(path, "UPDATE events SET time_us = time_us - 3600000000 WHERE seq = 41")
    assert broken_at(verify(path)) == [41]


def test_a_restart_between_two_steps_goes_on_with_the_same_beginning_of_the_boot(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was corrected a little meanwhile; the first `audit.clock_set` is what all rows are checked by."""
    monkeypatch.setattr(restamp, "STEP", 10)
    journal = Journal(path)
    unset = stamp(100, ClockTrust.UNSYNCED)
    journal.append([event(n, "alarm.tamper", stamp=unset) for n in range(50, 75)], BOOT)
    assert journal.restamp(BOOT, Stamp(NOON + timedelta(hours=1), 5000.0, ClockTrust.SYNCED)) == 10
    journal.close()
    journal = Journal(path)
    corrected = Stamp(NOON + timedelta(hours=1, seconds=2), 5001.0, ClockTrust.SYNCED)
    assert [journal.restamp(BOOT, corrected) for _ in range(3)] == [10, 5, 0]
    assert not journal.has_unset(BOOT)
    times = {row.time for row in journal.read_after(40, {EventClass.ALARM}, 100)}
    assert times == {unset.time + timedelta(hours=1)}
    journal.close()
    assert verify(path).is_sound


def test_holes_of_a_mended_file_are_told_apart(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096] + b"\xa5" * 4096 + path.read_bytes()[8192:])
    Journal(path).close()
    finding = verify(path)
    assert finding.mended_at
    assert all(found.seq <= finding.mended_at[0] for found in finding.breaks)


def test_a_journal_of_the_first_program_is_copied_and_then_chained(path: Path) -> None:
    edit(path, "ALTER TABLE events DROP COLUMN chain", "PRAGMA user_version = 1")
    edit(path, "INSERT OR REPLACE INTO facts VALUES ('purged', '3')", "DELETE FROM events WHERE seq <= 3")
    journal = Journal(path)
    journal.append([event(40, "alarm.tamper"), event(41, "alarm.tamper")], BOOT)
    journal.close()
    finding = verify(path)
    assert finding.is_sound
    assert (finding.chains["alarm"].rows, finding.chains["alarm"].first) == (11, 6)
    (copy,) = migrations.copies(path)
    assert copy.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (37,)
    edit(path, "UPDATE events SET data = '{}' WHERE seq = 10")
    assert broken_at(verify(path)) == [10]
    migrations.forget_copies(path)
    assert copy.exists()
    os.utime(copy, (0, 0))
    migrations.forget_copies(path)
    assert not copy.exists()


def test_a_change_of_tables_that_fails_leaves_the_old_ones(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "VERSION", migrations.VERSION + 1)
    monkeypatch.setattr(migrations, "_STEPS", (*migrations._STEPS, "DROP TABLE cursors; DROP TABLE nothing;"))
    with pytest.raises(StoreError):
        Journal(path)
    monkeypatch.undo()
    journal = Journal(path)
    assert journal.append([event(1)], BOOT) == [41]
    assert journal.cursors("city") == []
    journal.close()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no journal"):
        verify(tmp_path / "journal.db")
    (tmp_path / "journal.db").write_bytes(b"x" * 8192)
    with pytest.raises(StoreError, match="cannot be checked"):
        verify(tmp_path / "journal.db")
