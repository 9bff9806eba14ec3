"""`compound-gateway events` as the property office types it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import audit
from gateway.cli.events import command
from gateway.errors import StoreError
from gateway.journal import Journal
from tests.facts import BOOT, event
from tests.house import HEAD
from tests.real import wait_until


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "gateway.toml").write_text(HEAD, encoding="utf-8")
    return tmp_path / "gateway.toml"


def fill(config: Path, count: int) -> None:
    journal = Journal(config.parent / "data" / "journal" / "journal.db")
    journal.append([event(n) for n in range(count)], BOOT)
    journal.close()


def events(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["--config", str(config), *arguments])


@pytest.fixture(params=["UTC", "America/New_York"])
def box_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("box_zone")
def test_a_time_as_events_prints_it_finds_that_event_whatever_the_clock_of_the_box_shows(config: Path) -> None:
    fill(config, 3)
    printed = events(config).output.splitlines()
    assert events(config, "--since", printed[0].split()[0]).output.splitlines() == printed
    day = printed[0].partition("T")[0]
    assert events(config, "--since", day).output.splitlines() == printed
    assert events(config, "--since", f"{printed[0].split()[0]}+08:00").output.splitlines() == printed
    assert "no event fits" in events(config, "--since", f"{day}T23:59").output


@pytest.mark.parametrize("text", ["yesterday", "2026/1/1", "0001-01-01", "9999-12-31T23:59-12:00", "1w"])
def test_a_time_that_is_none_names_those_that_are(config: Path, text: str) -> None:
    said = events(config, "--since", text)
    assert said.exit_code == 2
    assert "2026-11-22T08:00" in said.output


@pytest.mark.parametrize("left", [b"no database" * 1000, b"SQLite format 3\0" + bytes(4080)])
def test_a_damaged_journal_is_no_traceback(config: Path, left: bytes) -> None:
    fill(config, 3)
    (config.parent / "data" / "journal" / "journal.db").write_bytes(left)
    assert isinstance(events(config).exception, StoreError)


def test_a_journal_that_only_a_restart_converts_says_so(config: Path) -> None:
    """After an upgrade and before the restart; see tests/journal/test_audit.py."""
    fill(config, 3)
    with closing(sqlite3.connect(config.parent / "data" / "journal" / "journal.db")) as connection:
        connection.execute("ALTER TABLE events DROP COLUMN chain")
    for said in (events(config), CliRunner().invoke(audit.command, ["--config", str(config)])):
        assert isinstance(said.exception, StoreError)
        assert "systemctl restart compound-gateway" in str(said.exception)


@pytest.mark.parametrize(("wanted", "found"), [("access", 2), ("access.*", 2), ("*.denied", 1), ("acc", 2), ("*", 3)])
def test_a_class_is_named_with_or_without_a_star(config: Path, wanted: str, found: int) -> None:
    journal = Journal(config.parent / "data" / "journal" / "journal.db")
    journal.append([event(name=name) for name in ("access.granted", "access.denied", "device.online")], BOOT)
    journal.close()
    assert len(events(config, "--type", wanted, "--json").stdout.splitlines()) == found


def test_a_spreadsheet_reads_the_chinese_of_a_csv(config: Path) -> None:
    journal = Journal(config.parent / "data" / "journal" / "journal.db")
    journal.append([event(data={"room": "枫林湾3-1"})], BOOT)
    journal.close()
    for encoding, begins in (("utf-8", b"sequence,"), ("utf-8-sig", b"\xef\xbb\xbfsequence,"), ("gbk", b"sequence,")):
        said = events(config, "--csv", "--encoding", encoding).stdout_bytes
        assert said.startswith(begins)
        assert "枫林湾3-1" in said.decode(encoding)


def test_following_goes_on_over_a_first_start_and_a_journal_that_was_replaced(config: Path) -> None:
    folder = config.parent / "data" / "journal"
    printed = config.parent / "printed"
    line = [sys.executable, "-m", "gateway", "events", "--follow", "--json", "--config", str(config)]
    with printed.open("wb") as out, subprocess.Popen(line, stdout=out) as follower:
        time.sleep(1.0)  # no daemon has run yet
        fill(config, 2)
        wait_until(lambda: printed.read_bytes().count(b"\n") == 2)
        folder.rename(folder.with_name("set-aside"))
        fill(config, 5)
        wait_until(lambda: printed.read_bytes().count(b"\n") == 5)
        follower.terminate()


def test_a_box_on_which_no_daemon_has_run_has_no_event(config: Path) -> None:
    assert "no event fits" in events(config).stderr
