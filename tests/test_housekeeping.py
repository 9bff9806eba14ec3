"""The quiet work: the roster's changes, the spool, the faces of those who left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.board import Board
from gateway.clock import ClockTrust, Stamp, boot_id, now
from gateway.credentials import parse_credential
from gateway.faces import Consent, FaceStore, ModelId
from gateway.housekeeping import Housekeeping, LiveRegister
from gateway.journal import Journal
from gateway.keys import Keys
from gateway.recorder import Recorder
from gateway.roster import Roster
from gateway.roster.cells import Row
from gateway.spool import Spool
from gateway.types import Event, EventClass
from tests.real import wait_until
from tests.running import running

MODEL = ModelId("tester", "0" * 64)


def row(holder_id: str, valid_until: date | None = None) -> Row:
    card = parse_credential(f"text:{holder_id}")
    return Row(holder_id, "", "resident", "owner", "1", (card,), (), None, None, valid_until, "active")


class Rig:
    """The parts that housekeeping works on, all real, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.board = Board()
        self.keys = Keys(folder)
        self.roster = Roster(folder / "roster.db", self.keys)
        self.register = LiveRegister(self.roster, self.board)
        self.spool = Spool(folder / "spool")
        self.journal = Journal(folder / "journal" / "journal.db")
        self.recorder = Recorder(self.journal, self.board, boot=boot_id())
        self.faces = FaceStore(folder / "faces.db", self.keys.face_key)
        self.time = Stamp(datetime(2026, 11, 22, 8, tzinfo=UTC), 0.0, ClockTrust.SYNCED)
        self.work = Housekeeping(
            register=self.register,
            spool=self.spool,
            recorder=self.recorder,
            faces=self.faces,
            zone=ZoneInfo("Asia/Shanghai"),
            board=self.board,
            stamp=lambda: self.time,
        )

    def enrol(self, holder_id: str) -> None:
        consent = Consent("1", "paper", "X", datetime.now(UTC))
        self.faces.enrol(self.keys.holder_ref(holder_id), [[0.1] * 128], consent, MODEL)

    def events(self) -> list[str]:
        return [entry.name for entry in self.journal.read_after(0, list(EventClass), 100)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.journal.close()


def test_a_change_by_another_process_is_noticed(rig: Rig) -> None:
    rig.work.round()
    assert len(rig.register()) == 0
    rig.roster.import_rows([row("r-1")])
    rig.work.round()
    assert len(rig.register()) == 1


def test_a_spooled_event_is_journalled_once_and_then_gone(rig: Rig, tmp_path: Path) -> None:
    rig.spool.put(Event("audit.face_enrolled", "faces", now(), {"holder": {"ref": "h:1"}}))
    for _ in range(3):
        rig.work.round()  # the recorder has not come to it yet
    with running(rig.recorder):
        wait_until(lambda: rig.events() == ["audit.face_enrolled"])
        wait_until(lambda: not list((tmp_path / "spool").iterdir()))


def test_who_leaves_the_roster_leaves_the_faces(rig: Rig) -> None:
    rig.roster.import_rows([row("r-1"), row("r-2")])
    rig.enrol("r-1")
    rig.enrol("r-2")
    rig.work.round()
    assert rig.faces.people() == 2
    rig.roster.remove(["r-1"])
    rig.work.round()
    assert [subject.ref for subject in rig.faces.subjects()] == [rig.keys.holder_ref("r-2")]
    rig.work.round()
    with running(rig.recorder):
        wait_until(lambda: rig.events() == ["audit.face_erased"])


@pytest.mark.parametrize(
    ("day", "hour", "trust", "stays"),
    [
        (22, 15, ClockTrust.SYNCED, True),  # 23:00 in Shanghai on the last valid day
        (22, 17, ClockTrust.SYNCED, False),  # 01:00 of the next day there
        (22, 17, ClockTrust.UNSYNCED, True),
    ],
)
def test_whose_time_is_over_leaves_the_faces(rig: Rig, day: int, hour: int, trust: ClockTrust, stays: bool) -> None:
    rig.roster.import_rows([row("r-1", date(2026, 11, 22)), row("r-2")])
    rig.enrol("r-1")
    rig.time = Stamp(datetime(2026, 11, day, hour, tzinfo=UTC), 0.0, trust)
    rig.work.round()
    assert (rig.faces.people() == 1) is stays


@pytest.mark.parametrize("mishap", ["gone", "damaged", "never there"])
def test_no_mishap_of_the_roster_erases_a_face_or_locks_a_resident_out(rig: Rig, tmp_path: Path, mishap: str) -> None:
    if mishap != "never there":
        rig.roster.import_rows([row("r-1")])
    rig.enrol("r-1")
    rig.work.round()
    if mishap == "gone":
        (tmp_path / "roster.db").unlink()
    if mishap == "damaged":
        (tmp_path / "roster.db").write_bytes(b"no database" * 1000)
    rig.work.round()
    assert rig.faces.people() == 1
    if mishap != "never there":
        again = LiveRegister(rig.roster, rig.board)  # as after a restart
        again.refresh()
        assert len(rig.register()) == len(again()) == 1
        assert "fault" in rig.board.facts()["roster"]


def test_a_data_folder_that_vanishes_locks_no_resident_out(rig: Rig, tmp_path: Path) -> None:
    rig.roster.import_rows([row("r-1")])
    rig.enrol("r-1")
    rig.work.round()
    for name in ("roster.db", "roster.last-good.db"):
        (tmp_path / name).unlink()
    for _ in range(2):
        rig.work.round()
        assert len(rig.register()) == rig.faces.people() == 1
    assert "has gone" in rig.board.facts()["roster"]["fault"]
    rig.roster.import_rows([row("r-2"), row("r-3")])
    rig.work.round()
    assert len(rig.register()) == 2
    assert "fault" not in rig.board.facts()["roster"]


def test_a_spool_that_cannot_be_read_ends_nothing(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.housekeeping._PERIOD_S", 0.01)
    (tmp_path / "spool").write_text("a file where the folder should be")
    with running(rig.work):
        wait_until(lambda: rig.board.counters().get("housekeeping.failed", 0) > 2)
        assert caplog.text.count("cannot be read") == 1  # not a line a second
        (tmp_path / "spool").unlink()
        rig.spool.put(Event("audit.face_enrolled", "faces", now(), {"holder": {"ref": "h:1"}}))
        with running(rig.recorder):
            wait_until(lambda: rig.events() == ["audit.face_enrolled"])
