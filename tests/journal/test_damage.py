"""A damaged or missing file: the service starts, keeps what can be read, and no sequence is used twice."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.journal import Journal, JournalReader, Row, audit, pages, repair
from gateway.journal.sequence import BLOCK
from gateway.settings import Journal as Policy
from tests.facts import BOOT, event
from tests.journal.parts import ALL, COUNT, fill, overwrite, rows_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_an_overwritten_header_loses_no_row(path: Path) -> None:
    fill(path)
    overwrite(path, 0, 100)
    kept, told = rows_of(path)
    assert [row.seq for row in kept] == list(range(1, COUNT + 1))
    assert kept[5].data == {"point": "east-door", "number": 5, "padding": "word " * 40}
    assert [row.name for row in told] == ["alarm.journal_damaged"]
    assert told[0].seq == COUNT + 1
    assert len(list(path.parent.glob("journal.damaged-*.db"))) == 1
    journal = Journal(path)
    assert [cursor.after for cursor in journal.cursors("city")] == [17, 17, 5, 7]
    assert journal.count_dead("city") == 1
    journal.close()


def test_what_was_set_aside_goes_after_thirty_days(path: Path) -> None:
    """It says who passed where, and no age deletes rows in it."""
    fill(path)
    overwrite(path, 0, 100)
    path.with_name("journal.db-wal").write_bytes(b"what was not in the file yet")
    os.utime(path, (0, 0))  # nothing was written for long before the damage was found
    journal = Journal(path)
    kept = set(path.parent.glob("journal.damaged-*"))
    journal.purge(Policy(min_free=0))
    assert {file.suffix for file in kept} >= {".db", ".db-wal"}
    assert all(file.exists() for file in kept)
    for file in kept:
        os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 31 * 86400))
    journal.purge(Policy(min_free=0))
    assert not any(file.exists() for file in kept)
    assert journal.last_seq == COUNT + 1
    journal.close()


def test_an_overwritten_first_8_kib_keeps_the_rest(path: Path) -> None:
    fill(path)
    overwrite(path, 0, 8192)
    kept, told = rows_of(path)
    assert len(kept) > COUNT * 0.9
    assert told[0].name == "alarm.journal_damaged"
    assert told[0].seq > COUNT


@pytest.mark.parametrize("page", [3, 9, 20])
def test_a_lost_page_is_told_to_the_last_row(path: Path, page: int) -> None:
    fill(path)
    overwrite(path, (page - 1) * pages.PAGE, pages.PAGE)
    kept, told = rows_of(path)
    missing = set(range(1, COUNT + 1)) - {row.seq for row in kept}
    assert len(missing) < 40
    assert told[0].name == "alarm.journal_damaged"
    losses = [row.data for row in told[1:]]
    assert sum(loss["count"] for loss in losses) == len(missing)
    if missing:
        assert (losses[0]["from"], losses[0]["to"]) == (min(missing), max(missing))


def crash(path: Path) -> Path:
    """A journal of ten events as a power cut would leave it: not closed."""
    journal = Journal(path)
    journal.append([event(n) for n in range(10)], BOOT)
    crashed = path.with_name("crashed")
    crashed.mkdir()
    for file in path.parent.glob("journal.*"):
        shutil.copy(file, crashed)
    journal.close()
    return crashed / "journal.db"


def test_a_log_that_is_gone_after_a_crash_never_means_its_sequences_again(path: Path) -> None:
    """Whoever moves `journal.db` alone to another card: it is sound, and lacks what was committed last."""
    path = crash(path)
    path.with_name("journal.db-wal").unlink()
    _, told = rows_of(path)
    assert told[0].seq > 10
    assert [row.name for row in told] == ["alarm.journal_damaged", "loss"]
    assert (told[1].data["from"], told[1].data["to"]) == (1, told[0].seq - 1)


def test_looking_for_damage_leaves_the_log_where_it_is(path: Path) -> None:
    """Who is killed just then has lost nothing, and must not seem to have."""
    path = crash(path)
    assert repair.inspect(path) is None
    kept, told = rows_of(path)
    assert [row.seq for row in kept] == list(range(1, 11))
    assert not told


@pytest.mark.parametrize("noted", ["80000000000000000010 80000000000000000266", "10 9", "-5 266", "1 x", ""])
def test_a_note_that_cannot_be_true_is_not_believed(path: Path, noted: str) -> None:
    fill(path, 10)
    path.with_suffix(".seq").write_text(noted)
    kept, told = rows_of(path)
    assert len(kept) == 10
    assert not told
    assert audit.verify(path).is_sound


def test_a_damaged_file_after_a_crash_jumps_over_what_may_have_been_used(path: Path) -> None:
    path = crash(path)
    path.with_name("journal.db-wal").unlink()
    overwrite(path, 0, 4096)
    _, told = rows_of(path)
    assert told[0].seq > 10
    assert told[0].seq <= 10 + BLOCK + 20
    assert [row.name for row in told] == ["alarm.journal_damaged", "loss"]
    assert (told[1].data["from"], told[1].data["to"]) == (1, told[0].seq - 1)


def test_rows_that_only_the_log_has_are_carried_over(path: Path) -> None:
    journal = Journal(path)
    journal.append([event(n) for n in range(10)], BOOT)
    crashed = path.with_name("crashed")
    crashed.mkdir()
    for file in path.parent.glob("journal.db*"):
        shutil.copy(file, crashed)
    journal.close()
    found = [values for _, values in pages.records(crashed / "journal.db") if len(values) == 14]
    assert [values[1] for values in found] == [row.id for row in reopened(path)]


def reopened(path: Path) -> list[Row]:
    return rows_of(path)[0]


def test_long_events_are_read_across_overflow_pages(path: Path) -> None:
    journal = Journal(path)
    text = "一二三 " * 3000
    journal.append([event(1, data={"text": text})], BOOT)
    journal.close()
    overwrite(path, 0, 100)
    kept, _ = rows_of(path)
    assert kept[0].data["text"] == text


def test_a_missing_file_never_means_sequence_one_again(path: Path) -> None:
    fill(path)
    path.unlink()
    kept, told = rows_of(path)
    assert not kept
    assert told[0].seq == COUNT + 1
    assert told[1].data == {"class": "*", "from": 1, "to": COUNT, "count": COUNT, "cause": "damage"}


def test_an_old_copy_put_back_never_means_old_sequences_again(path: Path) -> None:
    fill(path, 10)
    shutil.copy(path, path.with_name("backup"))
    journal = Journal(path)
    journal.append([event(n) for n in range(300)], BOOT)
    journal.close()
    shutil.copy(path.with_name("backup"), path)
    kept, told = rows_of(path)
    assert len(kept) == 10
    assert told[0].seq == 311


def test_damage_while_in_use_is_repaired_while_in_use(path: Path) -> None:
    journal = Journal(path)
    journal.append([event(n) for n in range(50)], BOOT)
    path.unlink()
    assert journal.append([event(50)], BOOT)[0] > 50
    rows = journal.read_after(50, ALL, 10)
    assert [row.name for row in rows] == ["alarm.journal_damaged", "loss", "access.granted"]
    journal.close()


def test_a_file_that_was_replaced_is_let_go_by_whoever_read_it(path: Path) -> None:
    with closing(Journal(path)) as journal:
        journal.append([event()], BOOT)
        journal.read_after(0, ALL, 10)
        path.unlink()
        journal.append([event()], BOOT)
        journal.read_after(0, ALL, 10)
        held = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
        assert f"{path} (deleted)" not in held


_ROT = {
    7: "data = substr(data, 1, 20) || 'x' || substr(data, 22)",
    8: "data = CAST(CAST(substr(data, 1, 40) AS BLOB) || x'ff' || CAST(substr(data, 42) AS BLOB) AS TEXT)",
    9: "clock = 'sxnced'",
    10: "name = 'bccess.granted'",
    11: "gaps = '1,x'",
    12: "data = '7'",
    COUNT: "gaps = ''",  # of the newest row, which an opening reads
}


def rot(path: Path, seq: int, change: str) -> None:
    """A disk that changes bytes of a row at rest: its page and its tables stay as they should be."""
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(f"UPDATE events SET {change} WHERE seq = {seq}")


@pytest.mark.parametrize("seq", _ROT)
def test_a_row_that_the_disk_has_changed_is_told_and_the_others_are_read(path: Path, seq: int) -> None:
    fill(path)
    rot(path, seq, _ROT[seq])
    passed_over = JournalReader(path).read_after(0, ALL, 1000)
    assert [row.seq for row in passed_over] == [n for n in range(1, COUNT + 1) if n != seq]
    with closing(Journal(path)) as journal:
        assert [row.seq for row in journal.read_after(seq - 1, ALL, 1)] == [seq + 1]
    kept, told = rows_of(path)
    assert [row.seq for row in kept] == [n for n in range(1, COUNT + 1) if n != seq]
    assert [(row.seq, row.name) for row in told] == [(COUNT + 1, "alarm.journal_damaged"), (COUNT + 2, "loss")]
    assert told[1].data == {"class": "*", "from": seq, "to": seq, "count": 1, "cause": "damage"}
    found = audit.verify(path)
    assert found.is_sound, found.breaks


def test_a_row_whose_place_in_an_index_is_lost_takes_no_other_with_it(path: Path) -> None:
    fill(path)
    with closing(JournalReader(path)) as reader:
        (row,) = reader.read_after(19, ALL, 1)
    at = path.read_bytes().index(f"{row.id}accessaccess.granted".encode()) + len(row.id)
    overwrite(path, at, 1)
    kept, told = rows_of(path)
    assert [row.seq for row in kept] == [n for n in range(1, COUNT + 1) if n != 20]
    assert told[-1].data == {"class": "*", "from": 20, "to": 20, "count": 1, "cause": "damage"}


def test_a_power_cut_in_the_middle_of_the_repair_starts_it_again(path: Path) -> None:
    fill(path)
    path.with_name("journal.salvage.db").write_bytes(b"half of something")
    overwrite(path, 0, 100)
    assert len(reopened(path)) == COUNT
    path.rename(path.with_name("journal.salvage.db"))  # cut between the two renames
    assert len(reopened(path)) == COUNT


def test_random_damage_never_keeps_it_from_starting(path: Path, tmp_path: Path) -> None:
    fill(path)
    whole = path.read_bytes()
    for seed in range(12):
        folder = tmp_path / f"case-{seed}"
        folder.mkdir()
        case = folder / "journal.db"
        case.write_bytes(whole)
        shutil.copy(path.with_name("journal.seq"), folder)
        overwrite(case, (seed * 7919) % len(whole), 1 << seed)
        journal = Journal(case)
        assert journal.append([event()], BOOT)[0] > COUNT
        journal.close()
        with closing(sqlite3.connect(case)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_holes_below_the_purge_are_not_losses() -> None:
    assert repair.holes([1, 2, 5, 6], 0, 6) == (3, 4, 2)
    assert repair.holes([5, 6], 4, 6) is None
    assert repair.holes([5, 6], 0, 8) == (1, 8, 6)
    assert repair.holes([], 0, 0) is None
