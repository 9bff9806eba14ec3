"""`compound-gateway audit` as somebody types it who wants to know whether the journal was touched."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.audit import command
from gateway.journal import Journal
from tests.facts import BOOT, event
from tests.house import HEAD


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "gateway.toml").write_text(HEAD, encoding="utf-8")
    journal = Journal(tmp_path / "data" / "journal" / "journal.db")
    journal.append([event(n, ["access.granted", "alarm.tamper", "audit.command"][n % 3]) for n in range(30)], BOOT)
    journal.close()
    return tmp_path / "gateway.toml"


def audit(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["--config", str(config), *arguments])


def test_a_sound_journal_ends_with_0_and_names_its_newest_hashes(config: Path) -> None:
    said = audit(config)
    assert said.exit_code == 0
    assert "alarm: 10 rows chained, #2 to #29" in said.output
    assert "whole and unaltered" in said.output
    told = json.loads(audit(config, "--json").output)
    assert told["ok"]
    again = audit(config, "--expect", f"29:{told['chains']['alarm']['head'].upper()}")
    assert again.exit_code == 0


def test_an_altered_row_ends_with_1_and_is_named(config: Path) -> None:
    with closing(sqlite3.connect(config.parent / "data" / "journal" / "journal.db")) as connection:
        connection.execute("UPDATE events SET subject = 'gate' WHERE seq = 14")
        connection.commit()
    said = audit(config)
    assert said.exit_code == 1
    assert "✘ #14" in said.output
    assert "the journal is not whole" in said.output
    assert [broken["seq"] for broken in json.loads(audit(config, "--json").output)["breaks"]] == [14]
    assert audit(config, "--from", "15").exit_code == 0
    assert audit(config, "--expect", f"29:{'0' * 64}", "--from", "15").exit_code == 1


def test_a_mistyped_hash_is_refused(config: Path) -> None:
    said = audit(config, "--expect", "14:abc")
    assert said.exit_code == 2
    assert "14:abc" in said.output
