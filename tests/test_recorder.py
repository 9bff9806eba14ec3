"""Events are kept in group commits; a refusing disk and a full queue are told, never hidden."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway import upkeep
from gateway.board import Board
from gateway.clock import ClockTrust
from gateway.errors import DeviceLost, StoreError
from gateway.journal import DiskFull, Journal, Row
from gateway.recorder import Recorder
from gateway.settings import Journal as Policy
from gateway.types import EventClass
from tests.facts import BOOT, event, stamp
from tests.real import wait_until
from tests.running import running


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "data" / "journal.db")
    yield journal
    journal.close()


def rows(journal: Journal) -> list[Row]:
    return journal.read_after(0, list(EventClass), 100_000)


def test_events_are_kept_in_order_and_in_few_commits(journal: Journal) -> None:
    board, kept = Board(), []
    recorder = Recorder(journal, board, boot=BOOT)
    for number in range(1200):
        recorder.record(event(number), lambda number=number: kept.append(number))
    with running(recorder):
        wait_until(lambda: len(kept) == 1200)
    assert [row.data["number"] for row in rows(journal)] == kept == list(range(1200))
    assert board.counters()["recorder.commits"] <= 4
    assert {row.boot_id for row in rows(journal)} == {BOOT}


def test_what_waits_at_the_stop_is_still_kept(journal: Journal) -> None:
    recorder = Recorder(journal, Board(), boot=BOOT)
    stop = threading.Event()
    stop.set()
    for number in range(700):
        recorder.record(event(number))
    recorder.run(stop)
    assert len(rows(journal)) == 700


def test_the_next_step_comes_after_the_commit_and_may_fail(journal: Journal) -> None:
    recorder = Recorder(journal, Board(), boot=BOOT)
    seen: list[int] = []

    def then() -> None:
        seen.append(len(rows(journal)))
        raise DeviceLost("the camera has gone")

    with running(recorder):
        recorder.record(event(1), then)
        wait_until(lambda: seen)
        recorder.record(event(2))
        wait_until(lambda: len(rows(journal)) == 2)
    assert seen == [1]


def test_a_refused_event_is_counted_and_told_and_the_others_are_kept(journal: Journal) -> None:
    board = Board()
    recorder = Recorder(journal, board, boot=BOOT)
    recorder.record(event(1))
    recorder.record(event(2, data={"embedding": [0.1] * 128}))
    recorder.record(event(3, subject="bad\ud800"))
    recorder.record(event(4))
    with running(recorder):
        wait_until(lambda: len(rows(journal)) >= 3)
    assert [row.data["number"] for row in rows(journal) if row.name != "loss"] == [1, 4]
    assert board.counters()["recorder.refused"] == 2
    losses = [row.data for row in rows(journal) if row.name == "loss"]
    assert sum(loss["count"] for loss in losses) == 2
    assert {loss["cause"] for loss in losses} == {"refused"}


def test_a_full_queue_drops_counts_and_tells(journal: Journal) -> None:
    board = Board()
    recorder = Recorder(journal, board, boot=BOOT, capacity=10)
    names = ["access.granted"] * 10 + ["access.denied", "vehicle.passed", "access.denied"]
    for number, name in enumerate(names):
        recorder.record(event(number, name))
    with running(recorder):
        wait_until(lambda: len(rows(journal)) == 12)
    losses = {row.data["class"]: row.data for row in rows(journal) if row.name == "loss"}
    assert losses["access"]["count"] == 2
    assert losses["vehicle"]["count"] == 1
    assert losses["vehicle"]["cause"] == "overflow"
    assert board.counters()["recorder.overflow"] == 3


def test_what_somebody_waits_for_fits_a_full_queue(journal: Journal) -> None:
    """An upload whose event was dropped was never let go: after 64 of them its camera gave no more."""
    board, kept = Board(), []
    recorder = Recorder(journal, board, capacity=10)
    for number in range(10):
        recorder.record(event(number))
    recorder.record(event(10), lambda: kept.append(10))
    recorder.record(event(11))
    with running(recorder):
        wait_until(lambda: kept)
    assert [row.data["number"] for row in rows(journal) if row.name != "loss"] == list(range(11))
    assert board.counters()["recorder.overflow"] == 1


def test_a_disk_that_refuses_is_loud_and_nothing_is_lost(journal: Journal, tmp_path: Path) -> None:
    board = Board()
    recorder = Recorder(journal, board, boot=BOOT, capacity=50)
    folder, away = tmp_path / "data", tmp_path / "away"
    with running(recorder):
        recorder.record(event(0))
        wait_until(lambda: len(rows(journal)) == 1)
        os.rename(folder, away)
        folder.write_text("a file lies where the folder was")
        recorder.record(event(1))
        wait_until(lambda: board.counters().get("recorder.store_errors"))
        assert "kept" in str(board.facts()["journal.fault"]) or "journal" in str(board.facts()["journal.fault"])
        for number in range(2, 60):
            recorder.record(event(number))
        folder.unlink()
        os.rename(away, folder)
        wait_until(lambda: any(row.name == "loss" for row in rows(journal)))
        wait_until(lambda: any(row.name == "alarm.journal_unwritable" for row in rows(journal)))
    found = rows(journal)
    numbers = [row.data["number"] for row in found if "number" in row.data]
    lost = sum(row.data["count"] for row in found if row.name == "loss")
    assert numbers == sorted(numbers)
    assert len(numbers) + lost == 60
    assert [row.seq for row in found] == list(range(1, len(found) + 1))
    assert board.facts()["journal.fault"] is None


def test_events_are_restamped_once_the_clock_is_set(journal: Journal) -> None:
    trust = [ClockTrust.UNSYNCED]
    recorder = Recorder(journal, Board(), boot=BOOT, stamp=lambda: stamp(0, trust[0]))
    with running(recorder):
        recorder.record(event(1, stamp=stamp(100, ClockTrust.UNSYNCED)))
        wait_until(lambda: len(rows(journal)) == 1)
        trust[0] = ClockTrust.SYNCED
        wait_until(lambda: rows(journal)[0].clock is ClockTrust.RESTORED)
    assert (rows(journal)[0].seq, rows(journal)[0].data["number"]) == (1, 1)
    assert not [row for row in rows(journal) if row.name == "alarm.clock_drift"]


class Unweighable(Journal):
    """On a disk that takes events, but three times not what is counted of them."""

    refused = weighed = 0

    def weigh(self) -> bool:
        if self.refused < 3:
            self.refused += 1
            raise DiskFull("the disk is full")
        self.weighed += 1
        return super().weigh()


def test_weighing_that_fails_is_logged_once_and_hides_no_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal, board = Unweighable(tmp_path / "journal.db"), Board()
    recorder = Recorder(journal, board, Policy(min_free=1 << 60, ballast=0), boot=BOOT)
    with running(recorder):
        wait_until(lambda: journal.weighed > 0)
        recorder.record(event(1))
        wait_until(lambda: any(row.name == "access.granted" for row in rows(journal)))
    (alarm,) = [row.data for row in rows(journal) if row.name == "alarm.storage_low"]
    assert (alarm["state"], alarm["severity"]) == ("raised", 2)
    assert len([record for record in caplog.records if "weighed" in record.message]) == 1
    assert "journal.fault" not in board.facts()  # events could be kept all the time
    journal.close()


class Unpurgeable(Journal):
    """On a disk that takes events, but lets none go."""

    refused = 0

    def purge(self, *_: Any, **__: Any) -> int:
        self.refused += 1
        raise StoreError("old events cannot be deleted")


def test_what_upkeep_told_before_it_failed_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_CLOCK_EVERY_S", "_PURGE_EVERY_S"):  # both in each round
        monkeypatch.setattr(upkeep, name, 0.0)
    journal, at = Unpurgeable(tmp_path / "journal.db"), [stamp(0, ClockTrust.UNSYNCED)]
    with running(Recorder(journal, Board(), boot=BOOT, stamp=lambda: at[0])):
        wait_until(lambda: journal.refused > 0)
        at[0] = replace(at[0], time=at[0].time + timedelta(hours=2))
        wait_until(lambda: any(row.name == "alarm.clock_drift" for row in rows(journal)))
    journal.close()
