"""`check`: how long the box survives off line, and what will not do what was meant though it is no fault."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.check import command
from gateway.cli.roster import command as roster_command
from gateway.clock import ClockTrust, Stamp
from gateway.config import ConfigFaults
from gateway.journal import Journal
from tests.facts import BOOT, NOON, event
from tests.house import DOOR, GATE, HEAD, ROSTER

CONFIG = f"""{HEAD}[uplinks.city]
host = "127.0.0.1"
[journal]
retain = {{ access = "30d" }}
max_bytes = "1GiB"
"""


def test_check_says_how_many_days_the_box_survives_off_line(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG, encoding="utf-8")
    said = CliRunner().invoke(command, ["--config", str(config)])
    assert said.exit_code == 0
    assert "too few events yet" in said.output
    assert not (tmp_path / "data").exists()  # nothing was made
    journal = Journal(tmp_path / "data" / "journal" / "journal.db")
    for hour in range(30):
        at = Stamp(NOON + timedelta(hours=hour), 0.0, ClockTrust.SYNCED)
        journal.append([event(hour, stamp=at)], BOOT)
    said = CliRunner().invoke(command, ["--config", str(config)])  # the daemon runs
    assert "for about 30.0 days; the first to go is access, by its age (retain)" in said.output
    told = json.loads(CliRunner().invoke(command, ["--config", str(config), "--json"]).output)
    assert told["off_line"] == {"days": 30.0, "class": "access"}
    journal.close()


def test_a_program_that_asks_for_json_gets_the_faults_as_json(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.replace("host", "hsot"), encoding="utf-8")
    said = CliRunner().invoke(command, ["--config", str(config), "--json"])
    assert isinstance(said.exception, ConfigFaults)
    told = json.loads(said.stdout)
    assert not told["ok"]
    unknown = next(fault for fault in told["faults"] if fault["key"] == "uplinks.city.hsot")
    assert unknown["line"] == 10
    assert "did you mean" in unknown["message"].lower()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[vision]\nmax_rss = "20MiB"\n', "max_rss: 20 MiB are too few"),
        ('[vision]\nmax_decoder_rss = "20MiB"\n', "max_decoder_rss: 20 MiB are too few"),
        ('[journal]\nmin_free = "9000000GiB"\n', "min_free: the disk of"),
    ],
)
def test_what_can_never_work_is_noted_with_the_fix(tmp_path: Path, table: str, said: str) -> None:
    """They passed without a word; no fault, for the doors of a box that has them must open tomorrow, too."""
    (note,) = noted(tmp_path, GATE.format(camera='driver = "folder"\npath = "."\nsign_posted = true') + table)
    assert said in note
    assert "MiB" in note.rpartition(";")[2]  # what to write instead


def test_points_that_only_the_roster_has_are_noted(tmp_path: Path) -> None:
    """A point is given another name, and its residents stand before the door."""
    config, roster = tmp_path / "gateway.toml", tmp_path / "roster.csv"
    config.write_text(HEAD + DOOR.format(port="/dev/null"), encoding="utf-8")
    rows = [ROSTER.splitlines()[0]]
    rows += [f"r-{n},甲,resident,owner,,,,{points},," for n, points in enumerate(("*", "east-door", "east-door"))]
    roster.write_text("\n".join(rows), encoding="utf-8")
    done = CliRunner().invoke(roster_command, ["import", str(roster), "--config", str(config)])
    assert done.exit_code == 0, done.output
    assert noted(tmp_path, DOOR.format(port="/dev/null")) == []
    (note,) = noted(tmp_path, DOOR.format(port="/dev/null").replace("east-door", "front-door"))
    assert "lets 2 holders pass 'east-door'" in note


def noted(folder: Path, more: str) -> list[str]:
    config = folder / "gateway.toml"
    config.write_text(HEAD + more, encoding="utf-8")
    done = CliRunner().invoke(command, ["--config", str(config), "--json"])
    assert done.exit_code == 0, done.output
    return list(json.loads(done.output)["notes"])


CAMERAS = """
[points.lobby]
name = "大堂"
kind = "pedestrian"
direction = "in"
[readers.reader]
driver = "rdm6300"
port = "/dev/ttyUSB0"
point = "lobby"
[cameras.uploads]
driver = "folder"
path = "."
point = "lobby"
recognise = ["{what}"]
{more}
[face]
enabled = true
purpose = "p"
necessity = "n"
pia_ref = "r"
"""


def test_photos_of_strangers_faces_that_would_stay_are_named(tmp_path: Path) -> None:
    posted = "sign_posted = true\n"
    for more in (posted, f'{posted}after = "move:done"'):
        (said,) = noted(tmp_path, CAMERAS.format(what="face", more=more))
        assert said.startswith("note, camera uploads: its photos stay after recognition"), said
    assert noted(tmp_path, CAMERAS.format(what="face", more=f'{posted}after = "delete"')) == []
    assert noted(tmp_path, CAMERAS.format(what="plate", more=posted)) == []


def test_a_camera_without_a_sign_is_named(tmp_path: Path) -> None:
    (said,) = noted(tmp_path, CAMERAS.format(what="plate", more=""))
    assert said.startswith("note, camera uploads: no sign is posted"), said


def test_a_platform_that_is_reached_without_encryption_is_named(tmp_path: Path) -> None:
    (said,) = noted(tmp_path, '[uplinks.city]\nhost = "127.0.0.1"\nhosts = ["mqtt.city.example"]\n')
    assert said.startswith("note, uplink city: not encrypted"), said
    for sound in ('host = "127.0.0.1"', 'host = "localhost"', 'host = "::1"', 'host = "m.example"\nport = 8883'):
        assert noted(tmp_path, f"[uplinks.city]\n{sound}\n") == []
