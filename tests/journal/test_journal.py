"""Promise 1: what was accepted stays, in a sequence without gaps."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.clock import ClockTrust
from gateway.errors import Rejected, StoreError
from gateway.journal import Cursor, Journal, JournalReader
from gateway.types import EventClass
from tests.facts import BOOT, NOON, event, stamp

ALL = list(EventClass)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.db"


def test_a_row_is_the_event_as_it_was_given(path: Path) -> None:
    journal = Journal(path)
    given = event(7, "vehicle.passed", data={"plate_no": "鄂J12345"}, passage="p-1", origin="sha256:aa")
    assert journal.append([given], BOOT) == [1]
    (row,) = journal.read_after(0, ALL, 10)
    assert (row.id, row.name, row.subject, row.passage, row.origin) == (
        given.id,
        "vehicle.passed",
        "east-door",
        "p-1",
        "sha256:aa",
    )
    assert (row.time, row.clock, row.uptime_ms, row.boot_id) == (NOON, ClockTrust.SYNCED, 5_000_000, BOOT)
    assert row.data == given.data
    assert row.event_class is EventClass.VEHICLE
    journal.close()


def test_the_journal_is_for_the_eyes_of_its_owner(path: Path) -> None:
    Journal(path).close()
    assert path.parent.stat().st_mode & 0o077 == 0


def test_the_sequence_goes_on_after_restarts_and_after_a_purge_of_everything(path: Path) -> None:
    for start in (1, 4, 7):
        journal = Journal(path)
        assert journal.append([event(n) for n in range(3)], BOOT) == [start, start + 1, start + 2]
        journal.close()
    journal = Journal(path)
    with journal._lock:
        journal._file._writer.execute("DELETE FROM events")
    journal.close()
    journal = Journal(path)
    sequences = journal.append([event()], BOOT)
    assert sequences[0] > 9
    journal.close()


def test_previous_names_the_last_event_among_the_wanted_classes(path: Path) -> None:
    journal = Journal(path)
    names = ["access.granted", "vehicle.passed", "alarm.tamper", "access.denied", "device.online", "access.granted"]
    journal.append([event(n, name) for n, name in enumerate(names)], BOOT)
    journal.close()
    journal = Journal(path)  # what is needed for it survives a restart
    journal.append([event(9)], BOOT)
    rows = {row.seq: row for row in journal.read_after(0, ALL, 10)}
    assert [rows[seq].previous(ALL) for seq in rows] == [0, 1, 2, 3, 4, 5, 6]
    assert rows[7].previous({EventClass.ACCESS}) == 6
    assert rows[6].previous({EventClass.VEHICLE, EventClass.ALARM}) == 3
    assert rows[2].previous({EventClass.DEVICE}) == 0
    journal.close()


@pytest.mark.parametrize(
    "classes", [{EventClass.ACCESS}, {EventClass.ACCESS, EventClass.DEVICE, EventClass.ALARM}, set(ALL)]
)
def test_reading_in_batches_gives_every_row_of_the_classes_once_and_in_order(
    path: Path, classes: set[EventClass]
) -> None:
    journal = Journal(path)
    names = ["access.granted", "vehicle.passed", "device.online", "alarm.tamper", "vehicle.denied"]
    journal.append([event(n, names[n % 5]) for n in range(97)], BOOT)
    found: list[int] = []
    while rows := journal.read_after(found[-1] if found else 0, classes, 7, upto=90):
        found += [row.seq for row in rows]
    assert found == [seq for seq in range(1, 91) if EventClass(names[(seq - 1) % 5].split(".")[0]) in classes]
    assert journal.count_after(0, classes, upto=90) == len(found)
    assert journal.read_after(0, [], 5) == []
    journal.close()


def test_an_origin_is_kept_once(path: Path) -> None:
    journal = Journal(path)
    first = event(1, origin="sha256:aa")
    assert journal.append([first, event(2), event(3, origin="sha256:aa")], BOOT) == [1, 2, 1]
    journal.close()
    journal = Journal(path)
    assert journal.append([event(4, origin="sha256:aa"), event(5, origin="sha256:bb")], BOOT) == [1, 3]
    assert [row.data["number"] for row in journal.read_after(0, ALL, 10)] == [1, 2, 5]
    journal.close()


def test_a_refused_event_takes_its_whole_batch_and_no_sequence(path: Path) -> None:
    journal = Journal(path)
    for bad in (event(data={"face_crop": "x"}), event(name="weather.rain"), event(subject="a\ud800")):
        with pytest.raises(Rejected):
            journal.append([event(1), bad], BOOT)
    assert journal.append([event(2)], BOOT) == [1]
    journal.close()


def test_cursors_and_dead_letters_are_kept(path: Path) -> None:
    journal = Journal(path)
    journal.append([event(n) for n in range(5)], BOOT)
    cursors = [Cursor("alarm", 5, None), Cursor("backlog", 1, 3), Cursor("live", 4, None)]
    journal.save_cursors("city", cursors, buried=[(2, "not authorised"), (4, "not authorised")])
    journal.save_cursors("estate", [Cursor("live", 1, None)])
    journal.close()
    journal = Journal(path)
    assert journal.cursors("city") == cursors
    assert [row.seq for row in journal.dead_letters("city", 0, 10)] == [2, 4]
    journal.save_cursors("city", cursors, revived=[2])
    assert journal.count_dead("city") == 1
    assert journal.pending("city", ALL).count == 3
    assert journal.pending("estate", ALL).count == 4
    assert journal.pending("newcomer", ALL).count == 5
    journal.close()


def test_one_process_owns_the_folder(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(StoreError, match="another gateway"):
        Journal(path)
    journal.close()
    Journal(path).close()


def test_another_process_may_read_while_we_write(path: Path) -> None:
    journal = Journal(path)
    reader = JournalReader(path)
    journal.append([event(1), event(2, "alarm.tamper")], BOOT)
    assert [row.seq for row in reader.history(glob="compound.alarm.*")] == [2]
    journal.append([event(3, stamp=stamp(-60))], BOOT)
    assert [row.seq for row in reader.history(since=NOON + timedelta(seconds=1))] == [3]
    assert reader.stats()["classes"] == {"access": 2, "alarm": 1}
    reader.close()
    journal.close()
    reader = JournalReader(path)  # nobody has it open now
    assert len(reader.history()) == 3
    reader.close()


def test_reading_where_there_is_no_journal_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="no journal"):
        JournalReader(path).history()


def test_threads_append_and_read_at_the_same_time(path: Path) -> None:
    journal = Journal(path)
    seen: list[int] = []
    done = threading.Event()

    def write(worker: int) -> None:
        for number in range(20):
            journal.append([event(worker * 100 + number), event(worker * 100 + number + 50)], BOOT)
            journal.save_cursors(f"uplink-{worker}", [Cursor("live", number, None)])

    def read() -> None:
        while not (done.is_set() and seen and seen[-1] == journal.last_seq):
            seen.extend(row.seq for row in journal.read_after(seen[-1] if seen else 0, ALL, 13))

    writers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert seen == list(range(1, 161))
    journal.close()


def test_events_of_an_unset_clock_are_restamped(path: Path) -> None:
    journal = Journal(path)
    wrong = stamp(100, ClockTrust.UNSYNCED)
    journal.append([event(1, stamp=wrong)], "the-boot-before")
    journal.append([event(2, stamp=wrong)], BOOT)
    journal.append([event(3)], BOOT)
    assert journal.restamp(BOOT, stamp(-3600)) == 1
    assert journal.restamp(BOOT, stamp(-3600)) == 0
    rows = journal.read_after(0, ALL, 10)
    assert [row.clock.value for row in rows] == ["unsynced", "restored", "synced", "synced"]
    assert rows[1].time == NOON - timedelta(seconds=100)
    assert rows[3].name == "audit.clock_set"
    assert rows[3].data == {
        "boot_id": BOOT,
        "booted_at": (NOON - timedelta(seconds=5000)).isoformat(timespec="microseconds"),
        "count": 1,
        "shift_s": 0.0,
    }
    assert journal.last_seq == 4
    journal.close()


_WRITER = """
import sys
from pathlib import Path
from gateway.journal import Journal
from tests.facts import BOOT, event
journal = Journal(Path(sys.argv[1]))
number = 0
while True:
    batch = [event(number + step) for step in range(1 + number % 3)]
    number += len(batch)
    for seq in journal.append(batch, BOOT):
        print(seq, flush=True)
"""


def test_what_was_accepted_survives_kill_9(path: Path) -> None:
    accepted: list[int] = []
    for round_ in range(3):
        process = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        accepted += [int(process.stdout.readline()) for _ in range(40 + 17 * round_)]
        process.kill()
        accepted += [int(line) for line in process.stdout.read().splitlines()]
        process.wait()
    journal = Journal(path)
    kept = [row.seq for row in journal.read_after(0, ALL, 10_000)]
    assert kept == list(range(1, kept[-1] + 1))
    assert set(accepted) <= set(kept)
    assert len(accepted) == len(set(accepted))
    journal.close()
