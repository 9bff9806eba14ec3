"""The vision child killed, frozen, lying, leaking, and the doors' side of it. Every child here is a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from gateway import presence
from gateway.child import Child
from gateway.clock import now
from gateway.settings import Captures
from gateway.supervisor import Seen
from gateway.types import Box, DeviceStatus, FaceSeen, PictureDone, PlateSeen, ShotKind
from gateway.vision.shots import take
from gateway.wire import DeviceReport, Hello, Message, encode
from tests import striped
from tests.door import Door, fill, impatient, lives, settings
from tests.real import wait_until
from tests.standstill import awake

ROOT = Path(__file__).resolve().parent.parent


def test_each_picture_of_a_folder_counts_once_though_the_child_is_killed_again_and_again(tmp_path: Path) -> None:
    """200 files, some of them no pictures, two kills: after de-duplication by origin each was told once."""
    uploads = tmp_path / "uploads"
    fill(uploads, range(1, 196))
    (uploads / "none.jpg").write_bytes(striped.jpeg(striped.empty()))
    (uploads / "empty.jpg").touch()
    (uploads / "cut.jpg").write_bytes(striped.jpeg(striped.paint(3))[:-400])
    (uploads / "text.jpg").write_text("no picture")
    (uploads / "x.jpg").mkdir()
    door = Door(settings(tmp_path, cam={"driver": "folder", "path": str(uploads), "patience_s": 0.5}))
    with door.open():
        for share in (40, 110):
            wait_until(lambda share=share: len(door.seen) >= share)
            os.kill(door.pid, signal.SIGKILL)
        ledger = uploads / ".consumed"
        wait_until(lambda: len(ledger.read_text().splitlines()) >= 199, what=f"{len(door.seen)} seen")
    by_origin = {seen.origin: seen for seen in door.seen}
    assert Counter(type(seen) for seen in by_origin.values()) == {PlateSeen: 196, PictureDone: 3}
    plates = [seen.plate.number for seen in by_origin.values() if isinstance(seen, PlateSeen) and seen.plate]
    assert sorted(plates) == sorted(striped.plate(number).number for number in range(1, 196))
    assert [seen.source_file for seen in by_origin.values() if isinstance(seen, PlateSeen) and not seen.plate] == [
        "none.jpg"
    ]
    assert all(seen.fault for seen in by_origin.values() if isinstance(seen, PictureDone))
    assert len(door.seen) - len(by_origin) <= 2 * 64  # only what was in flight at a kill came twice
    assert len(ledger.read_text().splitlines()) == 199


def test_what_the_doors_did_not_keep_is_told_again_by_the_next_child(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1, 2])
    given = settings(tmp_path, cam={"driver": "folder", "path": str(tmp_path / "in"), "after": "delete"})
    with Door(given, settles=False).open() as door:
        wait_until(lambda: len(door.seen) == 2)
    assert len(list((tmp_path / "in").glob("*.jpg"))) == 2
    with Door(given).open() as again:
        wait_until(lambda: not list((tmp_path / "in").glob("*.jpg")))
    assert {seen.origin for seen in again.seen} == {seen.origin for seen in door.seen}


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGKILL, "ended (SIGKILL)"), (signal.SIGSTOP, "does not respond")]
)
def test_a_child_that_dies_or_freezes_is_replaced_and_its_cameras_say_so(
    tmp_path: Path, number: signal.Signals, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "STEADY_S", 0.5)
    fill(tmp_path / "in", [1])
    given = settings(tmp_path, cam={"driver": "replay", "path": str(tmp_path / "in"), "loop": True})
    with Door(impatient(given)).open() as door:
        door.wait_online()
        first = door.pid
        os.kill(first, number)
        door.wait_fault(words)
        wait_until(lambda: not lives(first))
        wait_until(lambda: door.pid not in (0, first))
        door.wait_online()
        assert door.vision["restarts"] == 1
        assert "supervisor" in door.board.beats()
        wait_until(lambda: door.board.beats()["supervisor"] < 1)


def test_a_child_that_ends_at_once_is_started_less_and_less_often(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    command = (sys.executable, "-c", f"open({str(starts)!r}, 'a').write('x'); raise SystemExit(5)")
    with Door(settings(tmp_path, cam={"driver": "replay", "path": "/nowhere"}), command).open() as door:
        door.wait_fault("ended (5)")
        time.sleep(2.7)
        assert 1 <= len(starts.read_text()) <= 3


def test_a_program_that_cannot_be_started_is_a_fault_too(tmp_path: Path) -> None:
    with Door(settings(tmp_path, cam={"driver": "replay", "path": "/x"}), ("/no/such/program",)).open() as door:
        door.wait_fault("cannot be started")


def line(message: Message) -> str:
    return repr(encode(message))


def test_a_child_that_ends_again_and_again_is_told_of_once(tmp_path: Path) -> None:
    """Each start and each end was an event of every camera, thousands a day: the memory limit was too low, say."""
    starts = tmp_path / "starts"
    says = f"os.write(1, {line(Hello(1))}); os.write(1, {line(DeviceReport('cam', DeviceStatus.ONLINE))})"
    talk = f"import os, time; open({str(starts)!r}, 'a').write('x'); {says}; time.sleep(0.3); os._exit(3)"
    given = settings(tmp_path, cam={"driver": "replay", "path": "/nowhere"})
    with Door(given, (sys.executable, "-c", talk)).open() as door:
        wait_until(lambda: starts.exists() and len(starts.read_text()) >= 3)
        time.sleep(0.6)
        assert [status for _, status, _ in door.changes] == [DeviceStatus.ONLINE, DeviceStatus.FAULT]


LIES = {
    "noise": "os.urandom(3000) + b'\\n'",
    "no_end": "b'x' * 1100000",
    "prose": "b'Segmentation fault\\n'",
    "foreign_camera": line(PlateSeen("gate", "other", now(), striped.plate(1), 3)),
    "foreign_point": line(PlateSeen("vault", "cam", now(), striped.plate(1), 3)),
    "face_though_off": line(FaceSeen("gate", "cam", now(), "h:1", 0.9, 0.5, 2, "high", "none")),
    "picture_nobody_asked_for": line(
        PlateSeen(
            "gate",
            "cam",
            now(),
            striped.plate(1),
            3,
            shots=take(striped.paint(7), Box(10, 100, 150, 140), {ShotKind.PLATE}),
        )
    ),
    "order": b'{"settle":{"device":"cam","token":1}}\n'.__repr__(),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_child_that_says_what_it_cannot_mean_is_replaced(tmp_path: Path, lie: str) -> None:
    talk = f"import os, time; os.write(1, {line(Hello(1))}); os.write(1, {lie}); time.sleep(60)"
    given = settings(tmp_path, cam={"driver": "replay", "path": "/nowhere"})
    with Door(given, (sys.executable, "-c", talk)).open() as door:
        door.wait_fault("is restarted")
        assert door.seen == []


def test_pictures_come_only_of_the_kinds_that_may_be_kept(tmp_path: Path) -> None:
    (tmp_path / "car").mkdir()
    for number in range(5):
        (tmp_path / "car" / f"{number}.jpg").write_bytes(striped.jpeg(striped.paint(7)))
    given = settings(tmp_path, cam={"driver": "replay", "path": str(tmp_path / "car"), "fps": 5})
    for captures in ({}, {"plate": True}, {"plate": True, "scene": True}):
        policy = given.model_copy(update={"captures": Captures.model_validate(captures)})
        with Door(policy).open() as door:
            wait_until(lambda door=door: door.seen)
            (seen,) = (one for one in door.seen if isinstance(one, PlateSeen))
            assert [shot.kind.value for shot in seen.shots] == list(captures)


def test_a_child_that_leaks_is_replaced_and_each_picture_counts_once(tmp_path: Path) -> None:
    """Ten megabytes a look, and room for some twenty looks: every few seconds another child, until all is told."""
    fill(tmp_path / "in", range(1, 61))
    given = settings(tmp_path, cam={"driver": "folder", "path": str(tmp_path / "in"), "after": "delete"})
    vision = given.vision.model_copy(update={"max_rss": 350 << 20})
    site = given.site.model_copy(update={"name": "leaking library"})
    with Door(given.model_copy(update={"vision": vision, "site": site})).open() as door:
        wait_until(lambda: not list((tmp_path / "in").glob("*.jpg")), what=f"{door.changes}")
        assert door.vision["restarts"] >= 1
    assert sum("grew to" in detail for _, status, detail in door.changes if status is DeviceStatus.FAULT) >= 1
    told = {seen.origin: seen.plate.number for seen in door.seen if isinstance(seen, PlateSeen) and seen.plate}
    assert sorted(told.values()) == [striped.plate(number).number for number in range(1, 61)]


def test_what_settles_never_waits_for_a_child_that_does_not_read(tmp_path: Path) -> None:
    deaf = (sys.executable, "-c", "import time; time.sleep(60)")
    with Door(settings(tmp_path, cam={"driver": "replay", "path": "/nowhere"}), deaf).open() as door:
        began = awake()
        for token in range(20_000):
            door.supervisor.settle("cam", token)
        assert awake() - began < 2.0  # a child that reads nothing would hold it up for ever


def test_a_slow_doorkeeper_is_no_stalled_child(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1, 2, 3])
    door = Door(impatient(settings(tmp_path, cam={"driver": "folder", "path": str(tmp_path / "in")})))
    quick: Callable[[Seen], None] = door._submit

    def slow(seen: Seen) -> None:
        threading.Event().wait(2.5)  # longer than stall_s
        quick(seen)

    door.supervisor._submit = slow
    with door.open():
        wait_until(lambda: len(door.seen) == 3)
    assert not any(status is DeviceStatus.FAULT for _, status, _ in door.changes)


def test_a_box_that_stood_still_with_all_its_processes_loses_no_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SD card that hangs, a frozen machine: who could not hear must not say that the child was silent."""
    fill(tmp_path / "in", [1])
    given = settings(tmp_path, cam={"driver": "replay", "path": str(tmp_path / "in"), "loop": True})
    exchange = Child.exchange
    with Door(impatient(given)).open() as door:
        door.wait_online()
        first = door.pid
        stood_still = threading.Event()

        def stand_still_once(child: Child, seconds: float) -> list[bytes]:
            if stood_still.is_set():
                return exchange(child, seconds)
            os.kill(first, signal.SIGSTOP)
            time.sleep(3.0)  # longer than stall_s
            os.kill(first, signal.SIGCONT)
            stood_still.set()
            return []

        monkeypatch.setattr(Child, "exchange", stand_still_once)
        assert stood_still.wait(60)
        time.sleep(3.0)
        assert door.pid == first
    assert [status for _, status, _ in door.changes] == [DeviceStatus.ONLINE]


def test_a_box_too_slow_for_its_cameras_still_tells_passages(tmp_path: Path) -> None:
    """Four cameras at 0.6 s a look: each is looked at every 2.4 s, and a car needs three looks."""
    fill(tmp_path / "in", [1])
    table = {"driver": "replay", "path": str(tmp_path / "in"), "loop": True}
    given = settings(tmp_path, a=table, b=table, c=table, d=table)
    site = given.site.model_copy(update={"name": "slow box"})
    with Door(given.model_copy(update={"site": site})).open() as door:
        wait_until(lambda: door.vision.get("pace", 1.0) < 0.5)
        wait_until(lambda: len(door.seen) >= 4)
    assert sorted(seen.device for seen in door.seen) == ["a", "b", "c", "d"]
    assert all(isinstance(seen, PlateSeen) and seen.reads >= 3 for seen in door.seen)


def test_fresh_settings_make_a_fresh_child_and_no_fault(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1])
    fill(tmp_path / "other", [2])
    replay = {"driver": "replay", "loop": True}
    with Door(settings(tmp_path)).open() as door:
        door.supervisor.replace(settings(tmp_path, cam={**replay, "path": str(tmp_path / "in")}))
        wait_until(lambda: door.numbers() == ["鄂A00001"])
        door.supervisor.replace(settings(tmp_path, new={**replay, "path": str(tmp_path / "other")}))
        wait_until(lambda: door.numbers() == ["鄂A00001", "鄂A00002"])
        assert door.status("new") is DeviceStatus.ONLINE
        assert door.status("cam") is DeviceStatus.OFFLINE
    assert not any(status is DeviceStatus.FAULT for _, status, _ in door.changes)


def test_stopping_ends_the_child_in_time(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1])
    with Door(settings(tmp_path, cam={"driver": "replay", "path": str(tmp_path / "in"), "loop": True})).open() as door:
        door.wait_online()
        pid = door.pid
        assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
        began = awake()
    assert awake() - began < 3
    assert not lives(pid)


def test_the_child_does_not_outlive_a_door_process_that_is_killed(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1])
    given = settings(tmp_path, cam={"driver": "replay", "path": str(tmp_path / "in"), "loop": True})
    (tmp_path / "settings.json").write_text(given.model_dump_json())
    code = f"""
import sys, threading, time
sys.path.insert(0, {str(ROOT)!r})
from gateway.board import Board
from gateway.settings import Settings
from gateway.supervisor import Supervisor
board = Board()
given = Settings.model_validate_json(open({str(tmp_path / "settings.json")!r}).read())
supervisor = Supervisor(given, print, board, command={striped.COMMAND!r})
threading.Thread(target=supervisor.run, args=(threading.Event(),)).start()
while not board.facts().get("vision", {{}}).get("pid"):
    time.sleep(0.05)
print(board.facts()["vision"]["pid"], flush=True)
time.sleep(60)
"""
    door = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert door.stdout is not None
    child = int(door.stdout.readline())
    below = [process.pid for process in psutil.Process(child).children(recursive=True)]
    assert len(below) >= 1  # the nursery, and what it has borne by now
    assert lives(child)
    door.kill()
    door.wait(60)
    door.stdout.close()
    gone = [child, *below]
    wait_until(lambda: not any(lives(pid) for pid in gone), what="a child outlives the door process")
