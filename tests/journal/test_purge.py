"""What goes and how it is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.board import Board
from gateway.clock import ClockTrust
from gateway.journal import Cursor, DiskFull, Journal, Row, ages, weights
from gateway.journal.chain import CHECKPOINT
from gateway.journal.purge import CHUNK
from gateway.settings import Budget, Retain
from gateway.settings import Journal as Policy
from gateway.types import Event, EventClass
from gateway.upkeep import Upkeep
from tests.facts import BOOT, event, stamp

ALL = list(EventClass)
DAY = 86_400
WEEK = Policy(retain=Retain(access=7 * DAY), min_free=0)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


def rows(journal: Journal) -> list[Row]:
    return journal.read_after(0, ALL, 100_000)


def old(number: int, name: str = "access.granted", trust: ClockTrust = ClockTrust.SYNCED) -> Event:
    return event(number, name, stamp=stamp(30 * DAY, trust))


def test_age_deletes_per_class_and_a_second_time_finds_nothing(journal: Journal) -> None:
    journal.append([old(n) for n in range(2500)] + [old(1, "alarm.tamper"), event(1)], BOOT)
    assert journal.purge(WEEK, stamp()) == 2500
    assert [row.name for row in rows(journal)] == ["alarm.tamper", "access.granted"]
    assert journal.purge(WEEK, stamp()) == 0
    assert rows(journal)[1].previous(ALL) == 2501  # true also where that row had gone
    assert rows(journal)[1].previous({EventClass.ACCESS}) == 2500
    journal.close()


def test_nothing_goes_by_age_while_the_clock_is_not_synced(journal: Journal) -> None:
    journal.append([old(1)], BOOT)
    assert journal.purge(WEEK, stamp(0, ClockTrust.UNSYNCED)) == 0
    journal.close()


def test_an_unsynced_row_is_as_old_as_the_next_that_is_synced(journal: Journal) -> None:
    journal.append([old(1, trust=ClockTrust.UNSYNCED), event(2), old(3, trust=ClockTrust.UNSYNCED)], BOOT)
    assert journal.purge(WEEK, stamp()) == 0
    assert journal.purge(WEEK, stamp(-30 * DAY)) == 2
    assert next(row.seq for row in rows(journal)) == 3
    journal.close()


def test_what_no_uplink_had_is_told_when_it_goes(journal: Journal) -> None:
    journal.register("city", ALL)
    journal.register("estate", [EventClass.ALARM])
    journal.append([old(n) for n in range(10)], BOOT)
    journal.save_cursors("city", [Cursor("alarm", 10, None), Cursor("live", 6, None)], buried=[(2, "no")])
    assert journal.purge(WEEK, stamp()) == 10
    (loss,) = rows(journal)
    assert loss.name == "loss"
    assert loss.seq == 11
    assert loss.data == {"class": "access", "from": 2, "to": 10, "count": 5, "unsent": 5, "cause": "retention"}
    assert journal.count_dead("city") == 0
    journal.close()


def test_the_budget_takes_the_cheapest_class_first_and_never_alarms(tmp_path: Path) -> None:
    path = tmp_path / "full" / "journal.db"
    journal = Journal(path)
    names = ["device.online", "access.granted", "access.denied", "access.granted", "alarm.tamper"] * 2
    names[-1] = "audit.login"
    padding = {"padding": "word " * 80}
    journal.append([event(n, names[n % 10], data=padding) for n in range(8000)], BOOT)
    journal.close()
    size = path.stat().st_size
    journal = Journal(path)
    journal.purge(Policy(max_bytes=int(size * 0.85), min_free=0), stamp())
    counts = journal.stats()["classes"]
    assert counts["alarm"] == counts["audit"] == 800
    assert "device" not in counts
    assert 2000 < counts["access"] < 4800
    assert min(row.seq for row in rows(journal) if row.name.startswith("access")) > 1000  # the oldest went
    journal.purge(Policy(max_bytes=size // 100, min_free=0), stamp())
    counts = journal.stats()["classes"]
    assert counts["alarm"] == counts["audit"] == 800
    assert "access" not in counts
    losses = [row.data for row in rows(journal) if row.name == "loss"]
    assert sum(loss["count"] for loss in losses) == 6400
    assert {loss["cause"] for loss in losses} == {"space"}
    journal.close()


def test_a_class_keeps_to_its_budget_and_the_others_stay(journal: Journal) -> None:
    names = ["access.granted", "device.online", "alarm.tamper"]
    journal.append([event(n, names[n % 3], data={"padding": "word " * 80}) for n in range(9000)], BOOT)
    budget = Policy(budget=Budget(device=1_000_000), min_free=0)
    assert journal.purge(budget, stamp()) == 0  # nothing is counted yet, and nothing is counted for it
    while not journal.weigh():
        pass
    gone = journal.purge(budget, stamp())
    counts = journal.stats()["classes"]
    assert counts["access"] == counts["alarm"] == 3000
    assert counts["device"] == 3000 - gone
    assert 600_000 < journal.usage().held[EventClass.DEVICE] <= 1_000_000
    losses = [row.data for row in rows(journal) if row.name == "loss"]
    assert sum(loss["count"] for loss in losses) == gone
    assert {(loss["class"], loss["cause"]) for loss in losses} == {("device", "budget")}
    assert (losses[0]["from"], losses[-1]["to"]) == (2, 2 + 3 * (gone - 1))
    assert journal.purge(budget, stamp()) == 0
    journal.close()


def used(journal: Journal) -> int:
    """Bytes of the file that hold something."""
    with closing(sqlite3.connect(journal.folder / "journal.db")) as connection:
        ((pages,),) = connection.execute("PRAGMA page_count")
        ((free,),) = connection.execute("PRAGMA freelist_count")
        ((size,),) = connection.execute("PRAGMA page_size")
    return int((pages - free) * size)


def held(journal: Journal) -> int:
    return journal.usage().held[EventClass.ACCESS]


def by_budget(journal: Journal) -> None:
    journal.purge(Policy(budget=Budget(access=held(journal) - 1), min_free=0), stamp())


def by_size(journal: Journal) -> None:
    journal.purge(Policy(max_bytes=used(journal) - 1, min_free=0), stamp())


def by_a_full_disk(journal: Journal) -> None:
    Upkeep(journal, Policy(max_bytes=used(journal) - 1, min_free=0), Board(), BOOT).make_room(DiskFull("full"))


@pytest.mark.parametrize(("size", "purge_by"), [(held, by_budget), (used, by_size), (used, by_a_full_disk)])
def test_one_byte_over_the_limit_takes_a_twentieth_in_however_many_pieces(
    journal: Journal, size: Callable[[Journal], int], purge_by: Callable[[Journal], None]
) -> None:
    for start in range(0, 60_000, 10_000):  # small ones: they go in many transactions
        journal.append([event(n) for n in range(start, start + 10_000)], BOOT)
    while not journal.weigh():
        pass
    before = size(journal)
    purge_by(journal)
    assert 0.90 < size(journal) / before <= 0.95
    journal.close()


def test_an_old_journal_is_weighed_bit_by_bit(journal: Journal) -> None:
    journal.append([event(n, "device.online") for n in range(3 * weights.STEP + 1)], BOOT)
    whole = journal.usage()
    assert [journal.weigh() for _ in range(4)] == [False, False, True, True]
    assert journal.usage() == replace(whole, file=journal.usage().file)  # one row is counted by whoever asks
    journal.close()


def test_a_purge_leaves_the_rest_for_later_where_it_is_told_to(journal: Journal) -> None:
    journal.append([old(n) for n in range(2500)] + [event(1)], BOOT)
    assert [journal.purge(WEEK, stamp(), most=CHUNK) for _ in range(4)] == [1000, 1000, 500, 0]
    journal.close()


def test_rounds_that_stop_early_end_where_one_that_goes_on_does(tmp_path: Path) -> None:
    left: dict[int | None, list[tuple[int, str, object]]] = {}
    for most in (None, CHUNK):
        journal = Journal(tmp_path / str(most) / "journal.db")
        for name in ["access.granted", "device.online"] * 2:
            journal.append([event(n, name) for n in range(10_000)], BOOT)
        while not journal.weigh():
            pass
        budget, size = Budget(access=int(held(journal) * 0.9), device=held(journal) - 1), int(used(journal) * 0.8)
        policy = Policy(budget=budget, max_bytes=size, min_free=0)
        while journal.purge(policy, stamp(), most=most):
            pass
        assert 0.90 * size < used(journal) <= 0.95 * size
        left[most] = [(row.seq, row.name, row.data) for row in rows(journal)]
        journal.close()
    assert left[CHUNK] == left[None]


def test_the_age_of_an_unsynced_row_is_found_bit_by_bit(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Years without a clock, the age of which nobody knows until a row with a clock is found after them."""
    monkeypatch.setattr(ages, "STEP", 100)
    unset = [old(n, ("access.granted", "alarm.tamper")[n % 2], ClockTrust.UNSYNCED) for n in range(250)]
    journal.append([*unset, old(1, "device.online"), event(2, "device.online"), event(3)], BOOT)
    policy = Policy(retain=Retain(access=7 * DAY, alarm=7 * DAY), min_free=0)
    assert [journal.purge(policy, stamp()) for _ in range(4)] == [0, 0, 250, 0]
    assert [row.name for row in rows(journal)] == ["device.online", "device.online", "access.granted", CHECKPOINT]
    journal.close()


def test_space_that_a_purge_freed_is_used_again(journal: Journal) -> None:
    batch = [event(n, data={"padding": "word " * 80}) for n in range(1000)]
    limit = 2_000_000
    for _ in range(15):
        journal.append([event(n, data=e.data) for n, e in enumerate(batch)], BOOT)
        journal.purge(Policy(max_bytes=limit, min_free=0), stamp())
    assert journal.stats()["bytes"] < limit + (6 << 20)  # the log and one batch beyond the budget
    journal.close()


def test_a_short_disk_makes_room_inside_the_file_once(journal: Journal) -> None:
    journal.append([event(n, data={"padding": "word " * 80}) for n in range(4000)], BOOT)
    greedy = Policy(min_free=1 << 60)
    first = journal.purge(greedy, stamp())
    assert 0 < first < 4000
    assert journal.purge(greedy, stamp()) == 0
    journal.close()


def test_a_small_journal_is_not_what_the_disk_is_short_of(journal: Journal) -> None:
    journal.append([event(n) for n in range(200)], BOOT)
    assert journal.purge(Policy(min_free=1 << 60), stamp()) == 0
    assert journal.purge(Policy(min_free=0), stamp(), is_full=True) == 200  # unless it is all there is
    journal.close()


def test_the_newest_row_may_go_and_its_sequence_stays_used(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "again" / "journal.db")
    journal.append([event(1, "alarm.tamper"), old(1)], BOOT)
    journal.purge(WEEK, stamp())
    journal.close()
    journal = Journal(tmp_path / "again" / "journal.db")
    assert journal.append([event(2)], BOOT) == [3]
    assert rows(journal)[-1].previous({EventClass.ACCESS}) == 2
    journal.close()


def test_purged_text_is_not_left_in_free_pages(tmp_path: Path) -> None:
    path = tmp_path / "secret" / "journal.db"
    journal = Journal(path)
    journal.append([event(n, stamp=stamp(30 * DAY), data={"plate_no": "鄂J99999"}) for n in range(500)], BOOT)
    journal.purge(WEEK, stamp())
    assert all("鄂J99999".encode() not in file.read_bytes() for file in path.parent.iterdir()), "nor in its log"
    journal.close()
    assert "鄂J99999".encode() not in path.read_bytes()


def test_a_log_that_somebody_reads_is_wiped_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.journal.journal._WIPE_EVERY_S", 0.0)
    path = tmp_path / "secret" / "journal.db"
    journal = Journal(path)
    journal._file._writer.execute("PRAGMA busy_timeout = 10")
    journal.append([event(n, stamp=stamp(30 * DAY), data={"plate_no": "鄂J99999"}) for n in range(500)], BOOT)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (500,)
        assert journal.purge(WEEK, stamp()) == 500
    assert journal.append([event(1)], BOOT) == [501]
    assert journal.purge(WEEK, stamp()) == 0
    assert all("鄂J99999".encode() not in file.read_bytes() for file in path.parent.iterdir())
    journal.close()
