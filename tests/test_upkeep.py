"""The room on the disk, on a real small disk that is really filled."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import upkeep as upkeep_module
from gateway.board import Board
from gateway.clock import ClockTrust
from gateway.errors import StoreError
from gateway.journal import Journal, Row, restamp, schema
from gateway.journal.audit import verify
from gateway.journal.ballast import Ballast
from gateway.recorder import Recorder
from gateway.settings import Journal as Policy
from gateway.types import EventClass
from gateway.upkeep import Upkeep
from tests.end_to_end.test_bad_disks import fill
from tests.facts import BOOT, event, stamp
from tests.real import wait_until
from tests.running import running

MIB = 1 << 20
SMALL = Policy(min_free=4 * MIB, ballast=6 * MIB)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a disk of one's own needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def rows(journal: Journal) -> list[Row]:
    return journal.read_after(0, list(EventClass), 100_000)


def storage_alarms(journal: Journal) -> list[tuple[str, int]]:
    found = [row.data for row in rows(journal) if row.name == "alarm.storage_low"]
    return [(data["state"], data["severity"]) for data in found]


def fill_journal(journal: Journal, count: int = 6000) -> None:
    names = ["access.granted", "device.online", "alarm.tamper"]
    for start in range(0, count, 500):
        batch = [event(n, names[n % 3], data={"padding": "word " * 60}) for n in range(start, start + 500)]
        journal.append(batch, BOOT)


def test_a_full_disk_sheds_low_classes_tells_and_goes_on(disk: Path) -> None:
    journal = Journal(disk / "journal" / "journal.db")
    fill_journal(journal)
    recorder = Recorder(journal, Board(), SMALL, boot=BOOT)
    ballast = Ballast(disk / "journal" / "ballast", SMALL.ballast)
    with running(recorder):
        wait_until(lambda: ballast.is_whole)
        fill(disk / "foreign")
        kept = 0
        for number in range(10_000, 12_000):  # more than fits the log as it is
            recorder.record(event(number, data={"padding": "word " * 300}))
            kept += 1
        wait_until(lambda: len([row for row in rows(journal) if row.data.get("number", 0) >= 10_000]) == kept)
    found = rows(journal)
    assert ("raised", 1) in storage_alarms(journal)
    losses = [row.data for row in found if row.name == "loss"]
    assert losses[0]["class"] == "device"  # low classes first
    assert {loss["cause"] for loss in losses} == {"space"}
    gone = sum(loss["count"] for loss in losses)
    assert gone == 6000 - len([row for row in found if row.data.get("number", 10_000) < 10_000])
    assert len([row for row in found if row.name == "alarm.tamper"]) == 2000
    assert not ballast.is_whole
    journal.close()
    assert verify(disk / "journal" / "journal.db").is_sound


def test_the_ballast_comes_back_and_the_alarm_goes_once_there_is_room(disk: Path) -> None:
    journal = Journal(disk / "journal" / "journal.db")
    board = Board()
    upkeep = Upkeep(journal, SMALL, board, BOOT)
    ballast = Ballast(disk / "journal" / "ballast", SMALL.ballast)
    assert list(upkeep.round()) == []
    assert ballast.is_whole
    fill(disk / "foreign")
    told = upkeep.make_room(StoreError("the disk is full"))
    assert [(one.name, one.data["state"]) for one in told] == [("alarm.storage_low", "raised")]
    assert board.facts()["storage"]["low"] is True
    journal.append(told, BOOT)
    assert not ballast.is_whole
    again = Upkeep(journal, SMALL, board, BOOT)  # after a restart
    assert list(again.round()) == []
    (disk / "foreign").unlink()
    later = Upkeep(journal, SMALL, board, BOOT)
    assert [(one.name, one.data["state"]) for one in later.round()] == [("alarm.storage_low", "cleared")]
    assert board.facts()["storage"]["low"] is False
    assert ballast.is_whole
    journal.close()


def test_pictures_go_before_facts(disk: Path) -> None:
    journal = Journal(disk / "journal" / "journal.db")
    fill_journal(journal)
    picture = disk / "picture"
    fill(picture)
    asked: list[int] = []

    def shed(wanted: int) -> int:
        asked.append(wanted)
        os.truncate(picture, picture.stat().st_size - 2 * wanted)
        return 2 * wanted

    upkeep = Upkeep(journal, Policy(min_free=4 * MIB, ballast=0), Board(), BOOT, shed_pictures=shed)
    assert list(upkeep.round()) == []
    assert len(asked) == 1
    assert 3 * MIB < asked[0] <= 4 * MIB
    assert len(rows(journal)) == 6000
    journal.close()


def test_what_failed_for_another_reason_sheds_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    upkeep = Upkeep(journal, Policy(min_free=0), Board(), BOOT)
    list(upkeep.round())
    assert upkeep.make_room(StoreError("input/output error")) == []
    assert Ballast(tmp_path / "ballast", 16 * MIB).is_whole
    journal.close()


def test_no_ballast_is_made_where_it_would_make_the_disk_short(disk: Path) -> None:
    ballast = Ballast(disk / "ballast", 6 * MIB)
    assert not ballast.make(keep_free=30 * MIB)
    assert not (disk / "ballast").exists()
    assert ballast.make(keep_free=20 * MIB)
    assert ballast.make(keep_free=30 * MIB)  # it is there
    assert ballast.release()
    assert not ballast.release()
    assert Ballast(disk / "none", 0).make(keep_free=0)


def test_events_are_restamped_also_by_the_process_after(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "journal.db"
    journal = Journal(path)
    journal.append([event(1, stamp=stamp(100, ClockTrust.UNSYNCED))], BOOT)
    journal.close()
    journal = Journal(path)
    list(Upkeep(journal, Policy(min_free=0), Board(), BOOT, stamp=lambda: stamp(0)).round())
    assert rows(journal)[0].clock is ClockTrust.RESTORED
    journal.append([event(2, stamp=stamp(90, ClockTrust.UNSYNCED))], BOOT)  # it was on its way
    list(Upkeep(journal, Policy(min_free=0), Board(), BOOT, stamp=lambda: stamp(0)).round())
    assert {row.clock.value for row in rows(journal)} == {"restored", "synced"}
    journal.close()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One number that SQLite raises with each hundred of its instructions, whatever connection runs them."""
    done = [0]

    def tick() -> int:
        done[0] += 1
        return 0

    def counted(opening: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
        def opened(*args: Any, **options: Any) -> sqlite3.Connection:
            connection = opening(*args, **options)
            connection.set_progress_handler(tick, 100)
            return connection

        return opened

    for name in ("open_writer", "open_reader"):
        monkeypatch.setattr(schema, name, counted(getattr(schema, name)))
    return done


def months_without_a_clock(path: Path, count: int) -> None:
    """Rows of two boots, written before the clock was set."""
    journal = Journal(path)
    for start in range(0, count, 1000):
        boot = "an earlier one" if start < count // 2 else BOOT
        unset = stamp(100, ClockTrust.UNSYNCED)
        journal.append([event(n, stamp=unset) for n in range(start, start + 1000)], boot)
    journal.close()


def test_no_round_does_more_in_a_larger_journal(
    tmp_path: Path, work: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cards wait while a round lasts: weights, true times, ages and the outlook go through a journal in pieces."""
    monkeypatch.setattr(upkeep_module, "_WEIGH_EVERY_S", 0.0)
    most: dict[int, int] = {}
    for count in (12_000, 36_000):
        months_without_a_clock(tmp_path / str(count) / "journal.db", count)
        journal, board = Journal(tmp_path / str(count) / "journal.db"), Board()
        upkeep = Upkeep(journal, Policy(min_free=0, ballast=0), board, BOOT, stamp=lambda: stamp(0))
        rounds = []
        while "off_line" not in (board.facts().get("storage") or {}) or upkeep.is_behind:
            before = work[0]
            list(upkeep.round())
            rounds.append(work[0] - before)
        most[count] = max(rounds)
        assert {row.clock.value for row in journal.read_after(count // 2, [EventClass.ACCESS], count)} == {"restored"}
        assert board.counters()["recorder.restamped"] == count // 2
        journal.close()
    assert most[36_000] < 1.2 * most[12_000]


def test_cards_are_kept_while_the_house_has_much_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restamp, "STEP", 10)
    months_without_a_clock(tmp_path / "journal" / "journal.db", 8000)
    journal, board = Journal(tmp_path / "journal" / "journal.db"), Board()
    recorder = Recorder(journal, board, Policy(min_free=0, ballast=0), boot=BOOT, stamp=lambda: stamp(0))
    left: list[bool] = []
    restamp_some = journal.restamp

    def restamp_while_a_card_comes(*given: Any) -> int:
        if not board.counters().get("recorder.restamped"):
            recorder.record(event(1), lambda: left.append(journal.has_unset(BOOT)))
        return restamp_some(*given)

    monkeypatch.setattr(journal, "restamp", restamp_while_a_card_comes)
    with running(recorder):
        wait_until(lambda: bool(left))
        wait_until(lambda: not journal.has_unset(BOOT))
    assert left == [True]
    assert board.counters()["recorder.restamped"] == 4000
    journal.close()
    assert verify(tmp_path / "journal" / "journal.db").is_sound
