"""A roster file that is damaged, lost, of another version or on a full disk, and its copy."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.credentials import parse_credential
from gateway.errors import StoreError
from gateway.keys import Keys
from gateway.roster import Roster
from gateway.roster.errand import Errand, perform
from gateway.text import Text
from tests.roster.rows import CARD, ids, row


@pytest.mark.parametrize("mishap", ["gone", "empty"])
def test_nobody_begins_a_lost_roster_anew_with_one_holder(roster: Roster, tmp_path: Path, mishap: str) -> None:
    path = tmp_path / "roster.db"
    roster.import_rows([row("r-1", CARD), row("r-2")])
    for part in tmp_path.glob("roster.db*"):
        part.unlink()
    if mishap == "empty":
        path.touch()
    for act in (roster.list, lambda: roster.add(row("r-3"))):
        with pytest.raises(StoreError, match="import it again"):
            act()
    assert len(roster.last_good() or ()) == 2
    roster.import_rows([row("r-1", CARD), row("r-2"), row("r-3")])
    assert ids(roster) == ["r-1", "r-2", "r-3"]


def test_a_change_that_is_made_is_no_failure_where_the_disk_takes_no_copy(tmp_path: Path) -> None:
    told: list[Text] = []
    roster = Roster(tmp_path / "roster.db", Keys(tmp_path), told.append)
    (tmp_path / ".roster.last-good.db").mkdir()  # where the copy is drawn up
    assert roster.import_rows([row("r-1", CARD)]).added == ("r-1",)
    assert ids(roster) == ["r-1"]
    (text,) = told
    assert "the change counts, but its copy" in str(text)


def test_a_copy_that_could_not_be_made_leaves_no_names_behind(roster: Roster, tmp_path: Path) -> None:
    (tmp_path / "roster.last-good.db").mkdir()
    roster.import_rows([row("r-1", CARD)])
    assert ids(roster) == ["r-1"]
    assert not (tmp_path / ".roster.last-good.db").exists()


def test_an_errand_answers_also_where_the_disk_refuses_its_key(tmp_path: Path) -> None:
    Keys(tmp_path)
    (tmp_path / "keys" / "ref.key").write_bytes(b"cut off")
    answer = perform(Errand(do="set", data_dir=tmp_path), b'{"version":1,"full":true,"items":[]}')
    assert (answer["ok"], answer["code"]) == (False, "store_failed")


def test_an_upgrade_leaves_no_copy_that_names_who_is_removed_later(roster: Roster, tmp_path: Path) -> None:
    roster.import_rows([row("r-1", name="不再住在这里的人")])
    with closing(sqlite3.connect(tmp_path / "roster.db")) as base:  # as the version before wrote it
        base.executescript("DROP TABLE datasets; DELETE FROM _sqlite_migrations WHERE name = 'datasets'")
    roster.import_rows([row("r-2")], dry_run=True)
    assert list(tmp_path.glob("*before-upgrade*")), "the first who writes changes the tables, after a copy"
    roster.remove(["r-1"])
    assert not list(tmp_path.glob("*before-upgrade*"))
    assert ids(roster) == []


@pytest.mark.parametrize("damage", ["text", "pages", "newer", "words", "folder"])
def test_a_roster_that_cannot_be_used_is_a_store_error(roster: Roster, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "roster.db"
    roster.import_rows([row(f"r-{number}", f"w26:1-{number}") for number in range(500)])
    if damage == "text":
        path.write_text("no database" * 1000, encoding="utf-8")
    elif damage == "pages":
        data = bytearray(path.read_bytes())
        data[4096:] = bytes(len(data) - 4096)
        path.write_bytes(data)
    elif damage == "newer":
        update = "UPDATE _sqlite_migrations SET name = 'tenth' WHERE name = 'datasets'"
        code = f"import sqlite3; b = sqlite3.connect({str(path)!r}); b.execute({update!r}); b.commit()"
        subprocess.run([sys.executable, "-c", code], check=True)
    elif damage == "words":
        update = "UPDATE cards SET format = 'x'"
        code = f"import sqlite3; b = sqlite3.connect({str(path)!r}); b.execute({update!r}); b.commit()"
        subprocess.run([sys.executable, "-c", code], check=True)
    else:
        path.unlink()
        path.mkdir()
    with pytest.raises(StoreError) as refused:
        roster.snapshot()
    assert str(refused.value.hint)


def test_nobody_wrote_a_roster_yet(roster: Roster, tmp_path: Path) -> None:
    assert len(roster.snapshot()) == 0
    assert roster.version() == "absent"
    assert not (tmp_path / "roster.db").exists()  # reading makes no file


@pytest.mark.parametrize("mishap", ["gone", "damaged"])
def test_residents_still_come_in_when_the_file_is_lost(roster: Roster, tmp_path: Path, mishap: str) -> None:
    roster.import_rows([row("r-1", CARD)])
    path = tmp_path / "roster.db"
    if mishap == "gone":
        path.unlink()
    else:
        path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError):
        roster.version()
    copy = roster.last_good()
    assert copy is not None
    assert [holder.id for holder in copy.by_credential(parse_credential(CARD))] == ["r-1"]
