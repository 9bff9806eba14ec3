"""What the camera `folder` has consumed: noted, deleted or moved, once, also across restarts and damage."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gateway.errors import DeviceLost
from gateway.types import Frame
from tests.cameras.uploads import connect, drain, number_of, upload


@pytest.mark.parametrize("after", ["keep", "delete", "move:done"])
def test_a_settled_picture_never_comes_again_and_an_unsettled_one_does(uploads: Path, after: str) -> None:
    for number in (1, 2, 3):
        upload(uploads, number, age_s=10 - number)
    camera = connect(uploads, after=after)
    pictures = drain(camera, settle=False)
    assert [picture.source for picture in pictures] == ["1.jpg", "2.jpg", "3.jpg"]
    camera.settle("1.jpg")
    camera.settle("3.jpg")
    camera.close()
    again = drain(connect(uploads, after=after))
    assert [picture.source for picture in again] == ["2.jpg"]
    assert isinstance(again[0], Frame)
    assert isinstance(pictures[1], Frame)
    assert again[0].origin == pictures[1].origin
    assert drain(connect(uploads, after=after)) == []
    kept = sorted(path.name for path in uploads.glob("*.jpg"))
    assert kept == (["1.jpg", "2.jpg", "3.jpg"] if after == "keep" else [])
    moved = sorted(path.name for path in (uploads / "done").glob("*.jpg"))
    assert moved == (["1.jpg", "2.jpg", "3.jpg"] if after.startswith("move") else [])


@pytest.mark.parametrize("after", ["keep", "delete"])
def test_a_new_upload_under_an_old_name_is_another_picture(uploads: Path, after: str) -> None:
    camera = connect(uploads, after=after)
    upload(uploads, 1, "snap.jpg")
    (first,) = drain(camera, settle=False)
    upload(uploads, 2, "snap.jpg", age_s=-0.5)  # before the first is settled
    camera.settle("snap.jpg")
    assert (uploads / "snap.jpg").exists()
    (second,) = drain(camera)
    assert [number_of(first), number_of(second)] == ["鄂A00001", "鄂A00002"]


@pytest.mark.parametrize("after", ["keep", "delete", "move:done"])
def test_a_file_whose_time_is_set_after_the_upload_is_the_same_picture(uploads: Path, after: str) -> None:
    """FTP clients do (MFMT), a moment after it is whole: it was told twice, the second time with that time."""
    camera = connect(uploads, after=after)
    file = upload(uploads, 1)
    (picture,) = drain(camera, settle=False)
    os.utime(file, (time.time() - 60,) * 2)
    assert picture.source is not None
    camera.settle(picture.source)
    assert drain(camera, 0.6) == []
    assert file.exists() is (after == "keep")
    assert (uploads / "done" / "1.jpg").exists() is (after == "move:done")
    upload(uploads, 1)  # once more, later: a picture of its own
    assert len(drain(camera, 0.6)) == 1


def test_a_moved_picture_replaces_no_other(uploads: Path) -> None:
    camera = connect(uploads, after="move:done")
    for number in (1, 2):
        upload(uploads, number, "snap.jpg")
        assert len(drain(camera, 0.6)) == 1
    assert len(list((uploads / "done").iterdir())) == 2


def test_a_crash_between_note_and_deletion_is_made_good(uploads: Path) -> None:
    file = upload(uploads, 1)
    stat = file.stat()
    (uploads / ".consumed").write_text(json.dumps(["1.jpg", stat.st_size, stat.st_mtime_ns]) + '\n["2.jp')
    assert drain(connect(uploads, after="delete")) == []
    assert not file.exists()


def test_the_ledger_forgets_files_that_have_gone(uploads: Path) -> None:
    ledger = uploads / ".consumed"
    ledger.write_text("".join(json.dumps([f"{n}.jpg", 1, n]) + "\n" for n in range(3000)))
    upload(uploads, 1)
    drain(connect(uploads))
    assert len(ledger.read_text().splitlines()) < 10
    assert drain(connect(uploads)) == []


@pytest.mark.parametrize("damage", ['["a","b","c"]', '["a",Infinity,0]', '["a",1,null]', "[" * 100_000, "7"])
def test_no_damage_of_its_notes_keeps_the_camera_from_its_pictures(uploads: Path, damage: str) -> None:
    """They lie where strangers upload: the camera was a driver bug for ever."""
    for name in (".consumed", ".consumed.trying"):
        (uploads / name).write_text(damage + "\n")
    upload(uploads, 1)
    assert [picture.source for picture in drain(connect(uploads))] == ["1.jpg"]


def test_a_folder_for_moved_pictures_is_made_again(uploads: Path) -> None:
    camera = connect(uploads, after="move:done")
    for number in (1, 2):
        upload(uploads, number)
        assert len(drain(camera)) == 1
        assert [path.name for path in (uploads / "done").iterdir()] == [f"{number}.jpg"]
        shutil.rmtree(uploads / "done")


def test_where_moved_pictures_find_no_room_nothing_half_stays_and_the_next_are_taken(uploads: Path) -> None:
    with TemporaryDirectory(dir="/dev/shm") as elsewhere:
        for number in (1, 2):
            upload(uploads, number, age_s=10 - number)
        camera = connect(uploads, after=f"move:{elsewhere}")
        assert isinstance(camera.read(), Frame)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            with pytest.raises(DeviceLost, match="room"):
                camera.settle("1.jpg")
            camera.close()
            camera = connect(uploads, after=f"move:{elsewhere}")
            assert [picture.source for picture in drain(camera, settle=False)] == ["2.jpg"]
            assert os.listdir(elsewhere) == []
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        camera.settle("2.jpg")
        assert drain(connect(uploads, after=f"move:{elsewhere}")) == []
        assert sorted(os.listdir(elsewhere)) == ["1.jpg", "2.jpg"]
