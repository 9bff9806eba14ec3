"""The roster file on a real disk: all or none, by any process."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.credentials import parse_credential
from gateway.errors import Rejected, StoreError
from gateway.roster import Roster, RosterFaults
from gateway.roster.file import read
from tests.roster.rows import CARD, ids, row


def test_import_says_what_it_did_and_dry_run_does_nothing(roster: Roster) -> None:
    roster.import_rows([row("r-1", CARD), row("r-2"), row("r-3")])
    rows = [row("r-1", CARD), row("r-2", "w26:1-2"), row("r-4")]
    before = roster.list()
    planned = roster.import_rows(rows, dry_run=True, replace=True)
    assert (planned.added, planned.updated, planned.unchanged, planned.removed) == (
        ("r-4",),
        ("r-2",),
        ("r-1",),
        ("r-3",),
    )
    assert roster.list() == before
    assert roster.import_rows(rows, replace=True) == planned
    assert roster.list() == tuple(rows)


def test_without_replace_others_stay(roster: Roster) -> None:
    roster.import_rows([row("r-1", CARD, plates=("鄂J12345",))])
    roster.import_rows([row("r-2")])
    assert ids(roster) == ["r-1", "r-2"]


CONFLICTS = [
    ("em4100:62E3086CED", "em4100:62E3086CED"),
    ("em4100:62E3086CED", "w26:8-27885"),  # the reader of three bytes would confuse them
    ("w26:8-27885", "dec10:3808980205"),
    ("text:A-1", "text:A-1"),
]


@pytest.mark.parametrize(("one", "other"), CONFLICTS)
@pytest.mark.parametrize("known", [True, False])
def test_a_card_of_two_holders_is_refused_and_nothing_changes(
    roster: Roster, one: str, other: str, known: bool
) -> None:
    rows = [row("r-1", one, line=2), row("r-2", other, line=3), row("r-3", line=4)]
    if known:
        roster.import_rows(rows[:1])
        rows = rows[1:]
    roster.import_rows([])  # the file is there
    before = roster.list(), roster.version()
    with pytest.raises(RosterFaults) as refused:
        roster.import_rows(rows)
    assert [(fault.line, fault.column) for fault in refused.value.faults] == [(3, "cards")]
    assert "r-1" in str(refused.value.faults[0].message)
    assert (roster.list(), roster.version()) == before


def test_cards_that_only_share_their_tail_may_have_two_holders(roster: Roster) -> None:
    roster.import_rows([row("r-1", "em4100:0100086CED"), row("r-2", "em4100:0200086CED")])
    found = roster.snapshot().by_credential(parse_credential("w26:8-27885"))
    assert {holder.id for holder in found} == {"r-1", "r-2"}


def test_a_card_may_move_to_another_holder_within_one_file(roster: Roster) -> None:
    roster.import_rows([row("r-1", CARD), row("r-2")])
    roster.import_rows([row("r-1"), row("r-2", CARD)])
    assert [holder.id for holder in roster.snapshot().by_credential(parse_credential(CARD))] == ["r-2"]


def test_a_holder_named_twice_and_the_files_own_faults_come_in_one_run(roster: Roster) -> None:
    sheet = read(
        "holder_id,name,kind,category,room,cards,plates,points,valid_from,valid_until\n"
        "r-1,甲,,,,w26:1-1,,*,,\nr-1,乙,,,,,,*,,\nr-2,丙,,,,w26:1-1,坏牌,*,,\n".encode()
    )
    with pytest.raises(RosterFaults) as refused:
        roster.import_rows(sheet.rows, faults=sheet.faults)
    assert [(fault.line, fault.column) for fault in refused.value.faults] == [
        (3, "holder_id"),
        (4, "plates"),
        (4, "cards"),
    ]
    assert not roster.list()


def test_add_and_remove(roster: Roster) -> None:
    roster.add(row("r-1", CARD))
    with pytest.raises(Rejected, match="already"):
        roster.add(row("r-1"))
    with pytest.raises(Rejected, match="r-1"):
        roster.remove(["r-1", "r-l"])
    assert ids(roster) == ["r-1"]
    roster.remove(["r-1"], dry_run=True)
    assert ids(roster) == ["r-1"]
    roster.remove(["r-1"])
    assert not roster.snapshot().by_credential(parse_credential(CARD))
    assert roster.import_rows([row("r-2", CARD)]).added == ("r-2",)  # its card went with it


def test_the_version_changes_with_every_change_also_by_another_process(roster: Roster, tmp_path: Path) -> None:
    seen = [roster.version()]
    roster.import_rows([row("r-1")])
    seen.append(roster.version())
    roster.import_rows([row("r-1")])  # nothing new
    assert roster.version() == seen[-1]
    code = (
        "import sys, pathlib; from gateway.keys import Keys; from gateway.roster import Roster;"
        "folder = pathlib.Path(sys.argv[1]); Roster(folder / 'roster.db', Keys(folder)).remove(['r-1'])"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    seen.append(roster.version())
    assert len(set(seen)) == 3
    assert len(roster.snapshot()) == 0


def test_readers_never_see_half_an_import(roster: Roster) -> None:
    rows = [row(f"r-{number:04d}", f"w26:1-{number}") for number in range(2000)]
    sizes: set[int] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            sizes.add(len(roster.snapshot()))

    watcher = threading.Thread(target=watch)
    roster.list()
    watcher.start()
    roster.import_rows(rows)
    roster.import_rows(rows[:1], replace=True)
    ended.set()
    watcher.join()
    assert sizes <= {0, 1, 2000}


def test_the_snapshot_carries_the_keyed_hash(roster: Roster) -> None:
    roster.import_rows([row("r-1", CARD, plates=("鄂J12345",), points=frozenset({"gate"}), status="lost")])
    register = roster.snapshot()
    (holder,) = register.by_plate("鄂J12345")
    assert holder.ref == roster.ref("r-1")
    assert register.by_ref(holder.ref) == holder
    assert (holder.points, holder.status) == (frozenset({"gate"}), "lost")


def test_the_snapshot_knows_the_day_of_the_last_change(roster: Roster) -> None:
    assert roster.snapshot().as_of is None
    roster.import_rows([row("r-1")])
    day = roster.snapshot().as_of
    assert day is not None
    assert abs(datetime.now(UTC).date() - day) <= timedelta(days=1)


def test_the_file_is_for_its_owner_and_forgets_who_moved_out(roster: Roster, tmp_path: Path) -> None:
    roster.import_rows([row("r-1", name="不再住在这里的人")])
    assert (tmp_path / "roster.db").stat().st_mode & 0o077 == 0
    roster.remove(["r-1"])
    left = b"".join(path.read_bytes() for path in tmp_path.glob("roster.db*"))
    assert "不再住在这里的人".encode() not in left


def test_a_hundred_thousand_rows(roster: Roster, capsys: pytest.CaptureFixture[str]) -> None:
    """Bounded by time-out only; the times are printed."""
    some = random.Random(1)
    numbers = some.sample(range(1 << 40), 100_000)
    lines = [
        f"r-{n},某人{n},resident,owner,1-{n},em4100:{card:010X};text:T{n},鄂{some.choice('ABJ')}{n:05d},*,2026-01-01,"
        for n, card in enumerate(numbers)
    ]
    head = "holder_id,name,kind,category,room,cards,plates,points,valid_from,valid_until"
    data = "\n".join([head, *lines, ""]).encode("gbk")
    marks = [time.monotonic()]
    sheet = read(data, ("gate",))
    marks.append(time.monotonic())
    assert not sheet.faults
    assert len(roster.import_rows(sheet.rows).added) == 100_000
    marks.append(time.monotonic())
    register = roster.snapshot()
    marks.append(time.monotonic())
    assert len(register) == 100_000
    assert [h.id for h in register.by_credential(parse_credential(f"em4100:{numbers[7]:010X}"))] == ["r-7"]
    parsed, imported, loaded = (round(after - before, 1) for before, after in itertools.pairwise(marks))
    with capsys.disabled():
        print(f" [100,000 rows: parsed in {parsed} s, imported in {imported} s, snapshot in {loaded} s]")


def test_changes_at_once_all_happen_and_the_copy_has_the_last(roster: Roster) -> None:
    """The operator imports while a platform sends: both are done, and say so."""
    roster.import_rows([row("r-1", CARD)])
    failed: list[StoreError] = []

    def change(number: int) -> None:
        try:
            for round_ in range(3):
                roster.import_rows([row(f"r-{number}-{round_}")])
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    copy = roster.last_good()
    assert failed == []
    assert copy is not None
    assert len(ids(roster)) == len(copy) == 13
