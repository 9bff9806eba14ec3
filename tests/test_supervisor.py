"""The vision child killed, frozen, lying, leaking, and the doors' side of it. Every child here is a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway.board import Board
from gateway.clock import now
from gateway.settings import Captures, Settings
from gateway.supervisor import Seen, Supervisor
from gateway.types import Box, DeviceStatus, FaceSeen, PictureDone, PlateSeen, ShotKind
from gateway.vision.shots import take
from gateway.wire import Hello, Message, encode
from tests import striped
from tests.cameras.streaming import RtspServer
from tests.real import wait_until

ROOT = Path(__file__).resolve().parent.parent


def settings(tmp_path: Path, **cameras: dict[str, Any]) -> Settings:
    return Settings.model_validate(
        {
            "site": {"compound_id": "test", "name": "test", "language": "en"},
            "gateway": {"id": "box", "data_dir": str(tmp_path)},
            "points": {"gate": {"name": "Gate", "kind": "vehicle", "direction": "in"}},
            "cameras": {name: {"point": "gate", "recognise": ["plate"], **table} for name, table in cameras.items()},
        }
    )


def impatient(given: Settings) -> Settings:
    """The least time without a beat that the configuration allows."""
    return given.model_copy(update={"vision": given.vision.model_copy(update={"stall_s": 2.0})})


class Door:
    """The door process's side: what was submitted, what was on the board."""

    def __init__(self, given: Settings, command: Sequence[str] = striped.COMMAND, *, settles: bool = True) -> None:
        self.board = Board()
        self.seen: list[Seen] = []
        self.changes: list[tuple[str, DeviceStatus, str]] = []
        self.board.on_device(lambda state: self.changes.append((state.name, state.status, state.detail)))
        self._settles = settles
        self.supervisor = Supervisor(given, self._submit, self.board, command=command)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.supervisor.run, args=(self._stop,))

    def _submit(self, seen: Seen) -> None:
        self.seen.append(seen)
        if self._settles and seen.token is not None:
            self.supervisor.settle(seen.device, seen.token)

    @contextmanager
    def open(self) -> Iterator[Door]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(5)
            assert not self._thread.is_alive()

    @property
    def vision(self) -> dict[str, Any]:
        found: dict[str, Any] = self.board.facts().get("vision", {})
        return found

    @property
    def pid(self) -> int:
        return int(self.vision.get("pid") or 0)

    def decoders(self) -> list[int]:
        """Their process ids."""
        found = psutil.Process(self.pid).children(recursive=True)
        return [process.pid for process in found if process.name() == "decoder"]

    def status(self, camera: str) -> DeviceStatus | None:
        return next((state.status for state in self.board.devices() if state.name == camera), None)

    def wait_online(self, camera: str = "cam", seconds: float = 20.0) -> None:
        wait_until(lambda: self.pid and self.status(camera) is DeviceStatus.ONLINE, seconds, f"{camera}: {self.vision}")

    def wait_fault(self, words: str, seconds: float = 10.0) -> None:
        def told() -> bool:
            return any(status is DeviceStatus.FAULT and words in detail for _, status, detail in self.changes)

        wait_until(told, seconds, f"{words}: {self.changes}")

    def numbers(self) -> list[str]:
        return [seen.plate.number for seen in self.seen if isinstance(seen, PlateSeen) and seen.plate]


def fill(folder: Path, numbers: Sequence[int]) -> None:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / f"{number}.jpg").write_bytes(striped.jpeg(striped.paint(number)))


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
            wait_until(lambda share=share: len(door.seen) >= share, 30)
            os.kill(door.pid, signal.SIGKILL)
        ledger = uploads / ".consumed"
        wait_until(lambda: len(ledger.read_text().splitlines()) >= 199, 40, f"{len(door.seen)} seen")
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
        wait_until(lambda: len(door.seen) == 2, 20)
    assert len(list((tmp_path / "in").glob("*.jpg"))) == 2
    with Door(given).open() as again:
        wait_until(lambda: not list((tmp_path / "in").glob("*.jpg")), 20)
    assert {seen.origin for seen in again.seen} == {seen.origin for seen in door.seen}


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGKILL, "ended (SIGKILL)"), (signal.SIGSTOP, "does not respond")]
)
def test_a_child_that_dies_or_freezes_is_replaced_and_its_cameras_say_so(
    tmp_path: Path, number: signal.Signals, words: str
) -> None:
    fill(tmp_path / "in", [1])
    given = settings(tmp_path, cam={"driver": "replay", "path": str(tmp_path / "in"), "loop": True})
    with Door(impatient(given)).open() as door:
        door.wait_online()
        first = door.pid
        os.kill(first, number)
        door.wait_fault(words)
        wait_until(lambda: not psutil.pid_exists(first), 5)
        wait_until(lambda: door.pid not in (0, first), 20)
        door.wait_online()
        assert door.vision["restarts"] == 1
        assert "supervisor" in door.board.beats()
        assert door.board.beats()["supervisor"] < 1


def test_a_child_that_ends_at_once_is_started_less_and_less_often(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    command = (sys.executable, "-c", f"open({str(starts)!r}, 'a').write('x'); raise SystemExit(5)")
    with Door(settings(tmp_path, cam={"driver": "replay", "path": "/nowhere"}), command).open() as door:
        door.wait_fault("ended (5)")
        time.sleep(0.9)
        time.sleep(0.9)
        time.sleep(0.9)
        assert 1 <= len(starts.read_text()) <= 3


def test_a_program_that_cannot_be_started_is_a_fault_too(tmp_path: Path) -> None:
    with Door(settings(tmp_path, cam={"driver": "replay", "path": "/x"}), ("/no/such/program",)).open() as door:
        door.wait_fault("cannot be started")


def line(message: Message) -> str:
    return repr(encode(message))


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
            wait_until(lambda door=door: door.seen, 30)
            (seen,) = (one for one in door.seen if isinstance(one, PlateSeen))
            assert [shot.kind.value for shot in seen.shots] == list(captures)


def test_a_child_that_leaks_is_replaced_and_each_picture_counts_once(tmp_path: Path) -> None:
    """Ten megabytes a look, and room for some twenty looks: every few seconds another child, until all is told."""
    fill(tmp_path / "in", range(1, 61))
    given = settings(tmp_path, cam={"driver": "folder", "path": str(tmp_path / "in"), "after": "delete"})
    vision = given.vision.model_copy(update={"max_rss": 350 << 20})
    site = given.site.model_copy(update={"name": "leaking library"})
    with Door(given.model_copy(update={"vision": vision, "site": site})).open() as door:
        wait_until(lambda: not list((tmp_path / "in").glob("*.jpg")), 60, f"{door.changes}")
        assert door.vision["restarts"] >= 1
    assert sum("grew to" in detail for _, status, detail in door.changes if status is DeviceStatus.FAULT) >= 1
    told = {seen.origin: seen.plate.number for seen in door.seen if isinstance(seen, PlateSeen) and seen.plate}
    assert sorted(told.values()) == [striped.plate(number).number for number in range(1, 61)]


def test_what_settles_never_waits_for_a_child_that_does_not_read(tmp_path: Path) -> None:
    deaf = (sys.executable, "-c", "import time; time.sleep(60)")
    with Door(settings(tmp_path, cam={"driver": "replay", "path": "/nowhere"}), deaf).open() as door:
        began = time.monotonic()
        for token in range(20_000):
            door.supervisor.settle("cam", token)
        assert time.monotonic() - began < 1.0


def test_a_slow_doorkeeper_is_no_stalled_child(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1, 2, 3])
    door = Door(impatient(settings(tmp_path, cam={"driver": "folder", "path": str(tmp_path / "in")})))
    quick: Callable[[Seen], None] = door._submit

    def slow(seen: Seen) -> None:
        threading.Event().wait(2.5)  # longer than stall_s
        quick(seen)

    door.supervisor._submit = slow
    with door.open():
        wait_until(lambda: len(door.seen) == 3, 30)
    assert not any(status is DeviceStatus.FAULT for _, status, _ in door.changes)


def test_a_box_too_slow_for_its_cameras_still_tells_passages(tmp_path: Path) -> None:
    """Four cameras at 0.6 s a look: each is looked at every 2.4 s, and a car needs three looks."""
    fill(tmp_path / "in", [1])
    table = {"driver": "replay", "path": str(tmp_path / "in"), "loop": True}
    given = settings(tmp_path, a=table, b=table, c=table, d=table)
    site = given.site.model_copy(update={"name": "slow box"})
    with Door(given.model_copy(update={"site": site})).open() as door:
        wait_until(lambda: door.vision.get("pace", 1.0) < 0.5, 30)
        wait_until(lambda: len(door.seen) >= 4, 30)
    assert sorted(seen.device for seen in door.seen) == ["a", "b", "c", "d"]
    assert all(isinstance(seen, PlateSeen) and seen.reads >= 3 for seen in door.seen)


def test_fresh_settings_make_a_fresh_child_and_no_fault(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1])
    fill(tmp_path / "other", [2])
    replay = {"driver": "replay", "loop": True}
    with Door(settings(tmp_path)).open() as door:
        door.supervisor.replace(settings(tmp_path, cam={**replay, "path": str(tmp_path / "in")}))
        wait_until(lambda: door.numbers() == ["鄂A00001"], 20)
        door.supervisor.replace(settings(tmp_path, new={**replay, "path": str(tmp_path / "other")}))
        wait_until(lambda: door.numbers() == ["鄂A00001", "鄂A00002"], 20)
        assert door.status("new") is DeviceStatus.ONLINE
        assert door.status("cam") is DeviceStatus.OFFLINE
    assert not any(status is DeviceStatus.FAULT for _, status, _ in door.changes)


def test_stopping_ends_the_child_in_time(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1])
    with Door(settings(tmp_path, cam={"driver": "replay", "path": str(tmp_path / "in"), "loop": True})).open() as door:
        door.wait_online()
        pid = door.pid
        assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert not psutil.pid_exists(pid)


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
    assert psutil.pid_exists(child)
    door.kill()
    door.wait(5)
    door.stdout.close()
    gone = [child, *below]
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in gone), 3, "a child outlives the door process")


def test_a_stream_that_breaks_and_comes_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    password = "s3cret-Word"
    (tmp_path / "password").write_text(password)
    server = RtspServer(tmp_path, 4711, "admin", password).start()
    table = {"driver": "rtsp", "url": server.url, "username": "admin", "password_file": str(tmp_path / "password")}
    wrong = {**table, "username": "root"}
    lost = {**table, "url": server.url.replace("live", "lost")}
    with Door(settings(tmp_path, cam=table, wrong=wrong, lost=lost)).open() as door:
        wait_until(lambda: door.numbers() == ["鄂A04711"], 30, f"{door.changes}")
        details = {state.name: (state.status, state.detail) for state in door.board.devices()}
        assert details["wrong"][0] is DeviceStatus.OFFLINE
        assert "refuses the login (check `username`" in details["wrong"][1]
        assert "no stream of that path" in details["lost"][1]
        server.stop()
        wait_until(lambda: door.status("cam") is DeviceStatus.OFFLINE, 15)
        pid = door.pid
        server.start()
        door.wait_online(seconds=25)
        assert door.pid == pid  # nothing had to be restarted
        wait_until(lambda: door.vision["cameras"]["cam"]["frame_age_s"] < 1, 10)
    server.stop()
    assert door.numbers() == ["鄂A04711"]  # the same car, still there
    assert password not in capfd.readouterr().err
    assert password not in str(door.changes)


def test_a_decoder_that_hangs_or_crashes_costs_no_other_camera_anything(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1])
    os.mkfifo(tmp_path / "password")  # reading it never returns, as a decoder may
    replay = {"driver": "replay", "path": str(tmp_path / "in"), "loop": True}
    stuck = {
        "driver": "rtsp",
        "url": "rtsp://127.0.0.1/x",
        "username": "a",
        "password_file": str(tmp_path / "password"),
    }
    with Door(settings(tmp_path, one=replay, two=replay, stuck=stuck)).open() as door:
        door.wait_online("one")
        door.wait_online("two")
        first = door.pid
        decoders = door.decoders()
        assert len(decoders) == 3
        os.kill(decoders[0], signal.SIGSEGV)
        door.wait_fault("ended (SIGSEGV)")
        wait_until(lambda: door.status("stuck") is DeviceStatus.OFFLINE, 20)
        assert any("does not open within" in detail for _, _, detail in door.changes)
        wait_until(lambda: door.status("one") is door.status("two") is DeviceStatus.ONLINE, 10)
        assert door.pid == first
        hurt = {name for name, status, _ in door.changes if status is DeviceStatus.FAULT}
        assert len(hurt) == 1


def test_a_changed_camera_begins_anew_and_the_others_do_not_notice(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        fill(tmp_path / str(number), [number])

    def replay(number: int, **more: Any) -> dict[str, Any]:
        return {"driver": "replay", "path": str(tmp_path / str(number)), "loop": True, **more}

    with Door(settings(tmp_path, kept=replay(1), gone=replay(2))).open() as door:
        wait_until(lambda: sorted(door.numbers()) == ["鄂A00001", "鄂A00002"], 20)
        first, before = door.pid, set(door.decoders())
        door.supervisor.replace(settings(tmp_path, kept=replay(1), new=replay(3)))
        wait_until(lambda: "鄂A00003" in door.numbers(), 20)
        assert door.status("gone") is DeviceStatus.OFFLINE
        assert len(before & set(door.decoders())) == 1
        wait_until(lambda: set(door.vision["cameras"]) == {"kept", "new"}, 5)
        door.supervisor.replace(settings(tmp_path, kept=replay(1), new=replay(2, fps=20)))
        wait_until(lambda: door.numbers().count("鄂A00002") == 2, 20)
        assert len(before & set(door.decoders())) == 1
        assert door.pid == first
        assert door.vision["restarts"] == 0
    kept = [(status, detail) for name, status, detail in door.changes if name == "kept"]
    assert kept == [(DeviceStatus.ONLINE, "")]
    assert door.numbers().count("鄂A00001") == 1


def test_a_camera_that_freezes_is_noticed_within_five_seconds_and_the_other_goes_on(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1])
    with RtspServer(tmp_path, 4711) as server:
        live = {"driver": "rtsp", "url": server.url}
        given = settings(tmp_path, cam=live, other={"driver": "replay", "path": str(tmp_path / "in"), "loop": True})
        with Door(given).open() as door:
            door.wait_online("cam", 40)
            door.wait_online("other")
            wait_until(lambda: "鄂A04711" in door.numbers(), 30)
            first = door.pid
            server.signal(signal.SIGSTOP)
            began = time.monotonic()
            wait_until(lambda: door.status("cam") is DeviceStatus.OFFLINE, 15)
            noticed = time.monotonic() - began
            assert door.vision["cameras"]["other"]["frame_age_s"] < 2
            server.signal(signal.SIGCONT)
            door.wait_online("cam", 60)
            assert door.pid == first
    assert noticed < 6.5  # five, and what a busy test machine adds
    assert [status for name, status, _ in door.changes if name == "other"] == [DeviceStatus.ONLINE]


def test_a_recogniser_without_its_model_is_off_and_the_other_goes_on(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1])
    fill(tmp_path / "uploads", [2])
    given = settings(
        tmp_path,
        cam={"driver": "replay", "path": str(tmp_path / "in"), "loop": True, "recognise": ["plate", "face"]},
        stills={"driver": "folder", "path": str(tmp_path / "uploads")},
    )
    site = given.site.model_copy(update={"name": "no plate model"})
    face = given.face.model_copy(update={"enabled": True})
    with Door(given.model_copy(update={"site": site, "face": face})).open() as door:
        wait_until(lambda: any(isinstance(seen, FaceSeen) for seen in door.seen), 20)
        wait_until(lambda: door.vision.get("faults"), 5)
        wait_until(lambda: door.vision["recognisers"] == {"plate": "off", "face": "ready"}, 5)  # the next beat tells it
        assert door.vision["faults"] == {"plate": "model test is not here (install it)"}
        assert door.numbers() == []
        assert not any(seen.device == "stills" for seen in door.seen)  # its pictures wait for a model
    assert not (tmp_path / "uploads" / ".consumed").exists() or not (tmp_path / "uploads" / ".consumed").read_text()


def test_without_faces_no_face_is_looked_for(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1])
    table = {"driver": "replay", "path": str(tmp_path / "in"), "loop": True, "recognise": ["plate", "face"]}
    with Door(settings(tmp_path, cam=table)).open() as door:
        wait_until(lambda: door.numbers() == ["鄂A00001"], 20)
        assert door.vision["recognisers"] == {"plate": "ready"}
        assert not any(isinstance(seen, FaceSeen) for seen in door.seen)


def test_the_child_imports_no_face_code_unless_it_must() -> None:
    code = (
        "import gateway.watch, gateway.vision.looks as looks, gateway.vision.recogniser, sys\n"
        "print([name for name in sys.modules if name.startswith('gateway') and name.rpartition('.')[2] in"
        " ('faces', 'gallery', 'mtcnn', 'chip', 'face_tables')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


def test_each_camera_is_looked_at_at_its_own_rate(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1, 2])
    table = {"driver": "replay", "path": str(tmp_path / "in"), "loop": True}
    given = settings(tmp_path, slow={**table, "fps": 2.0}, quick={**table, "fps": 10.0, "recognise": []})
    cameras = given.cameras
    fast = {name: one.model_copy(update={"options": {**one.options, "fps": 30.0}}) for name, one in cameras.items()}
    with Door(given.model_copy(update={"cameras": fast})).open() as door:
        door.wait_online("slow")
        wait_until(lambda: door.vision.get("cameras", {}).get("quick", {}).get("fps", 0) > 3, 20)
        cameras_now = door.vision["cameras"]
        assert 0 < cameras_now["slow"]["fps"] < cameras_now["quick"]["fps"] / 2
