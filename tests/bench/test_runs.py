"""The benches of the journal run, on few events: what they hold of its tables is not checked by types alone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from rich.progress import Progress

from gateway.journal import Journal
from gateway.types import EventClass
from tests.bench import drain, keep, million


@pytest.fixture
def progress() -> Progress:
    return Progress(disable=True)


def test_keep(tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in (("LONE", 3), ("ROUNDS", 1), ("EACH", 20), ("_WARM", 1)):
        monkeypatch.setattr(keep, name, few)
    report = keep.bench(tmp_path / "keep", progress)
    assert [figure.name for figure in report.figures][-1] == "eight threads record"
    assert all(figure.value > 0 and figure.floor for figure in report.figures)


def test_drain(tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "ROWS", keep.GROUP)
    monkeypatch.setattr(drain, "ROUNDS", 1)
    (figure,) = drain.bench(tmp_path / "drain", progress).figures
    assert figure.value > 0
    assert figure.floor


def test_a_filled_journal_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(million, "_CHUNK", 100)
    path = tmp_path / "filled" / "journal.db"
    assert list(million._fill(path, 250)) == [101, 201, 251]
    with closing(Journal(path)) as journal:
        assert journal.last_seq == 250
        journal.append([keep.card_event()], "boot")
        assert [row.seq for row in journal.read_after(248, set(EventClass), 10)] == [249, 250, 251]
