"""Cameras under the supervisor: streams that break, decoders that hang, deadly stills, settings that change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.types import DeviceStatus, FaceSeen, PictureDone, PlateSeen
from tests import striped
from tests.cameras.streaming import RtspServer
from tests.door import Door, fill, impatient, settings
from tests.real import wait_until
from tests.standstill import awake

ROOT = Path(__file__).resolve().parent.parent


def test_a_stream_that_breaks_and_comes_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    password = "s3cret-Word"
    (tmp_path / "password").write_text(password)
    server = RtspServer(tmp_path, 4711, "admin", password).start()
    table = {"driver": "rtsp", "url": server.url, "username": "admin", "password_file": str(tmp_path / "password")}
    wrong = {**table, "username": "root"}
    lost = {**table, "url": server.url.replace("live", "lost")}
    with Door(settings(tmp_path, cam=table, wrong=wrong, lost=lost)).open() as door:
        wait_until(lambda: door.numbers() == ["鄂A04711"], what=f"{door.changes}")
        details = {state.name: (state.status, state.detail) for state in door.board.devices()}
        assert details["wrong"][0] is DeviceStatus.OFFLINE
        assert "refuses the login (check `username`" in details["wrong"][1]
        assert "no stream of that path" in details["lost"][1]
        server.stop()
        wait_until(lambda: door.status("cam") is DeviceStatus.OFFLINE)
        pid = door.pid
        server.start()
        door.wait_online()
        assert door.pid == pid  # nothing had to be restarted
        wait_until(lambda: door.vision["cameras"]["cam"]["frame_age_s"] < 1)
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
        wait_until(lambda: door.status("stuck") is DeviceStatus.OFFLINE)
        assert any("does not open within" in detail for _, _, detail in door.changes)
        wait_until(lambda: door.status("one") is door.status("two") is DeviceStatus.ONLINE)
        assert door.pid == first
        hurt = {name for name, status, _ in door.changes if status is DeviceStatus.FAULT}
        assert len(hurt) == 1


def test_a_changed_camera_begins_anew_and_the_others_do_not_notice(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        fill(tmp_path / str(number), [number])

    def replay(number: int, **more: Any) -> dict[str, Any]:
        return {"driver": "replay", "path": str(tmp_path / str(number)), "loop": True, **more}

    with Door(settings(tmp_path, kept=replay(1), gone=replay(2))).open() as door:
        wait_until(lambda: sorted(door.numbers()) == ["鄂A00001", "鄂A00002"])
        first, before = door.pid, set(door.decoders())
        door.supervisor.replace(settings(tmp_path, kept=replay(1), new=replay(3)))
        wait_until(lambda: "鄂A00003" in door.numbers())
        assert door.status("gone") is DeviceStatus.OFFLINE
        assert len(before & set(door.decoders())) == 1
        wait_until(lambda: set(door.vision["cameras"]) == {"kept", "new"})
        door.supervisor.replace(settings(tmp_path, kept=replay(1), new=replay(2, fps=20)))
        wait_until(lambda: door.numbers().count("鄂A00002") == 2)
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
            door.wait_online("cam")
            door.wait_online("other")
            wait_until(lambda: "鄂A04711" in door.numbers())
            first = door.pid
            server.signal(signal.SIGSTOP)
            began = awake()
            wait_until(lambda: door.status("cam") is DeviceStatus.OFFLINE)
            noticed = awake() - began
            wait_until(lambda: door.vision["cameras"]["other"]["frame_age_s"] < 2)
            server.signal(signal.SIGCONT)
            door.wait_online("cam")
            assert door.pid == first
    assert noticed < 9  # five, and what a busy test machine adds
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
        wait_until(lambda: any(isinstance(seen, FaceSeen) for seen in door.seen))
        wait_until(lambda: door.vision.get("faults"))
        wait_until(lambda: door.vision["recognisers"] == {"plate": "off", "face": "ready"})  # the next beat tells it
        assert door.vision["faults"] == {"plate": "model test is not here (install it)"}
        assert door.numbers() == []
        assert not any(seen.device == "stills" for seen in door.seen)  # its pictures wait for a model
    assert not (tmp_path / "uploads" / ".consumed").exists() or not (tmp_path / "uploads" / ".consumed").read_text()


def test_without_faces_no_face_is_looked_for(tmp_path: Path) -> None:
    fill(tmp_path / "in", [1])
    table = {"driver": "replay", "path": str(tmp_path / "in"), "loop": True, "recognise": ["plate", "face"]}
    with Door(settings(tmp_path, cam=table)).open() as door:
        wait_until(lambda: door.numbers() == ["鄂A00001"])
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
        wait_until(lambda: door.vision.get("cameras", {}).get("quick", {}).get("fps", 0) > 3)
        cameras_now = door.vision["cameras"]
        assert 0 < cameras_now["slow"]["fps"] < cameras_now["quick"]["fps"] / 2


@pytest.mark.parametrize("box", ["deadly picture", "endless picture"])
def test_a_still_that_ends_recognition_three_times_is_given_up_and_the_others_follow(tmp_path: Path, box: str) -> None:
    """The picture decodes well; it is looking at it that crashes the child, or never ends."""
    fill(tmp_path / "in", [1, striped.DEADLY, 2])
    for at, number in enumerate((1, striped.DEADLY, 2)):
        os.utime(tmp_path / "in" / f"{number}.jpg", (time.time() - 60 + at,) * 2)
    given = settings(tmp_path, cam={"driver": "folder", "path": str(tmp_path / "in"), "after": "delete"})
    given = impatient(given.model_copy(update={"site": given.site.model_copy(update={"name": box})}))
    with Door(given).open() as door:
        wait_until(lambda: not list((tmp_path / "in").glob("*.jpg")), what=f"{door.changes}")
        assert door.vision["restarts"] == 3
    first, done, last = {seen.origin: seen for seen in door.seen}.values()  # the first may have come again
    assert isinstance(first, PlateSeen)
    assert isinstance(last, PlateSeen)
    assert (first.plate, last.plate) == (striped.plate(1), striped.plate(2))
    assert isinstance(done, PictureDone)
    assert (done.source_file, done.fault) == (f"{striped.DEADLY}.jpg", "looking at it ended the recognition 3 times")


def test_a_picture_whose_name_is_no_utf8_is_told_like_any_other(tmp_path: Path) -> None:
    """As a camera that writes GBK names it."""
    fill(tmp_path / "in", [1])
    os.rename(os.fsencode(tmp_path / "in" / "1.jpg"), os.fsencode(tmp_path / "in") + "/鄂A00001.jpg".encode("gbk"))
    given = settings(tmp_path, cam={"driver": "folder", "path": str(tmp_path / "in"), "after": "delete"})
    with Door(given).open() as door:
        wait_until(lambda: not list((tmp_path / "in").glob("*.jpg")), what=f"{door.changes}")
    (seen,) = door.seen
    assert isinstance(seen, PlateSeen)
    assert seen.source_file == "鄂A00001.jpg"
