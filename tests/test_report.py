"""How the house says how it stands, also without a readable journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.board import Board
from gateway.config import load
from gateway.journal import Journal
from gateway.report import Report
from gateway.types import DeviceStatus
from tests.house import DOOR, HEAD, UPLINK


@pytest.fixture
def report(tmp_path: Path) -> Iterator[Report]:
    file = tmp_path / "gateway.toml"
    file.write_text(HEAD + DOOR.format(port="loop://") + UPLINK.format(port=1883), encoding="utf-8")
    journal = Journal(tmp_path / "journal" / "journal.db")
    yield Report(load(file), Board(), journal)
    journal.close()


def test_words_name_devices_and_uplinks(report: Report) -> None:
    report.board.device("east-reader", "reader", "east-door", DeviceStatus.ONLINE)
    report.board.device("east-relay", "actuator", "east-door", DeviceStatus.OFFLINE)
    report.board.note("uplink.city", {"status": "online"})
    assert report.words() == "readers 1/1 · actuators 0/1 · city connected 0 waiting"


def test_words_count_a_device_that_has_not_reported_yet(report: Report) -> None:
    assert report.words() == "readers 0/1 · actuators 0/1 · city not connected 0 waiting"


def test_words_count_no_device_that_a_reload_took_out(report: Report) -> None:
    report.board.device("old-camera", "camera", "east-door", DeviceStatus.OFFLINE)
    assert "cameras" not in report.words()


def test_words_say_which_recognition_is_off(report: Report) -> None:
    report.board.note("vision", {"faults": {"face": "the model was altered"}})
    assert report.words() == "readers 0/1 · actuators 0/1 · face recognition is off · city not connected 0 waiting"


def test_a_journal_that_cannot_be_read_is_reported(report: Report, tmp_path: Path) -> None:
    report.journal.renew()  # each thread opens the file anew …
    (tmp_path / "journal" / "journal.db").unlink()  # … and it is gone
    assert "city not connected ? waiting" in report.words()
    found = report.snapshot()
    assert "no journal" in found["journal"]["fault"]
    assert found["uplinks"]["city"]["waiting"] is None


def test_words_say_that_the_roster_is_a_copy(report: Report) -> None:
    report.board.note("roster", {"holders": 7, "fault": "not a database"})
    assert report.words().startswith("roster faulty, its last copy counts")
