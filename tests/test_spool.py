"""Events of the command line reach the daemon whole, once, in order, or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clock import boot_id, now
from gateway.errors import Rejected, StoreError
from gateway.spool import Spool
from gateway.types import Event, EventClass


def event(number: int) -> Event:
    return Event("audit.face_enrolled", "faces", now(), {"holder": {"ref": f"h:{number}"}, "enrolled": 3})


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_events_come_in_order_and_stay_until_removed(spool: Spool) -> None:
    assert list(spool.take()) == []
    events = [event(number) for number in range(5)]
    for each in events:
        spool.put(each)
    for _ in range(2):
        waiting = list(spool.take())
        assert [one.event.id for one in waiting] == [each.id for each in events]
    first = waiting[0]
    assert first.boot == boot_id()
    assert first.event == replace(events[0], origin=f"spool:{events[0].id}")
    assert first.event.event_class is EventClass.AUDIT
    for one in waiting:
        spool.remove(one)
        spool.remove(one)
    assert list(spool.take()) == []


def test_the_files_are_for_the_owner_only(spool: Spool, tmp_path: Path) -> None:
    spool.put(event(1))
    (path,) = (tmp_path / "spool").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "spool").stat().st_mode & 0o007 == 0


def test_half_written_files_are_not_taken(spool: Spool, tmp_path: Path) -> None:
    spool.put(event(1))
    (tmp_path / "spool" / ".0197-half").write_text('{"id":')
    (tmp_path / "spool" / "notes.txt").write_text("hello")
    assert len(list(spool.take())) == 1


def valid(spool: Spool, folder: Path) -> dict[str, object]:
    spool.put(event(1))
    (path,) = folder.glob("*.event.json")
    return dict(json.loads(path.read_text()))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "nonsense.event"},
        {"name": "../../etc"},
        {"id": "1"},
        {"extra": 1},
        {"time": "2026-11-22T08:00:00"},
        {"mono": -1},
        {"mono": 1e300},
        {"time": "0001-01-01T00:00:00+08:00"},
        {"time": "9999-12-31T23:59:59Z"},
        {"data": {"embedding": [0.1] * 128}},
        {"data": {"note": "x" * 70_000}},
        {"subject": ""},
    ],
)
def test_a_file_that_is_no_event_is_set_aside(spool: Spool, tmp_path: Path, change: dict[str, object]) -> None:
    folder = tmp_path / "spool"
    entry = valid(spool, folder)
    (folder / "0-first.event.json").write_text(json.dumps({**entry, **change}))
    (folder / "1-empty.event.json").write_text("")
    assert len(list(spool.take())) == 1
    assert len(list(folder.glob("*.bad"))) == 2


def test_face_data_is_refused_before_it_is_written(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(Rejected):
        spool.put(replace(event(1), data={"embedding": [0.5] * 128}))
    assert not (tmp_path / "spool").exists()


def test_a_disk_that_refuses_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    with pytest.raises(StoreError):
        Spool(tmp_path / "spool").put(event(1))


def test_a_round_is_bounded(spool: Spool) -> None:
    for number in range(300):
        spool.put(event(number))
    first = list(spool.take())
    assert len(first) == 256
    for one in first:
        spool.remove(one)
    assert len(list(spool.take())) == 44
