"""A folder of uploads: whole files only, oldest first, each once, also across restarts."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from drivers.cameras import folder
from drivers.cameras.folder import FolderCamera
from gateway.contracts import StillCamera
from gateway.errors import DeviceLost
from gateway.types import Frame, Unreadable
from tests.cameras.uploads import connect, drain, number_of, upload
from tests.striped import jpeg, paint


def test_it_is_a_camera_of_stills(uploads: Path) -> None:
    assert isinstance(connect(uploads), StillCamera)


def test_pictures_come_oldest_first_with_the_time_they_were_written(uploads: Path) -> None:
    for number, age in ((3, 10), (1, 30), (2, 20)):
        upload(uploads, number, age_s=age)
    pictures = drain(connect(uploads))
    assert [number_of(picture) for picture in pictures] == ["鄂A00001", "鄂A00002", "鄂A00003"]
    assert [picture.source for picture in pictures] == ["1.jpg", "2.jpg", "3.jpg"]
    assert 29 < pictures[0].stamp.age() < 300


def test_what_is_no_upload_is_left_alone(uploads: Path) -> None:
    upload(uploads, 1)
    (uploads / "x.jpg").mkdir()
    (uploads / "notes.txt").write_text("not a picture")
    for name in (".hidden.jpg", "~1.jpg", "2.jpg.part", "3.jpg.tmp"):
        upload(uploads, 9, name)
    (uploads / "link.jpg").symlink_to("/etc/passwd")
    (uploads / "x.jpg" / "inside.jpg").write_bytes(jpeg(paint(8)))
    assert [picture.source for picture in drain(connect(uploads))] == ["1.jpg"]


def test_a_file_that_grows_is_delivered_once_and_whole(uploads: Path) -> None:
    camera, data = connect(uploads), jpeg(paint(7))
    file = uploads / "slow.jpg"
    with file.open("wb") as stream:
        for at in range(0, len(data) - 1, len(data) // 4):
            stream.write(data[at : min(at + len(data) // 4, len(data) - 1)])
            stream.flush()
            assert camera.read() is None  # half a second in which nothing may come
        stream.write(data[-1:])
    assert [number_of(picture) for picture in drain(camera)] == ["鄂A00007"]


def test_what_stays_broken_is_reported_with_its_reason(uploads: Path) -> None:
    (uploads / "empty.jpg").touch()
    (uploads / "cut.jpg").write_bytes(jpeg(paint(7))[:-500])
    (uploads / "text.jpg").write_text("this is not a picture")
    scrambled = bytearray(jpeg(paint(7)))
    scrambled[2:40] = b"\xff\xc0" + b"\x00" * 36
    (uploads / "scrambled.jpg").write_bytes(scrambled)
    pictures = drain(connect(uploads), 1.0)
    assert all(isinstance(picture, Unreadable) for picture in pictures)
    faults = {picture.source: str(picture.fault) for picture in pictures if isinstance(picture, Unreadable)}
    assert set(faults) == {"empty.jpg", "cut.jpg", "text.jpg", "scrambled.jpg"}
    assert "empty" in faults["empty.jpg"]
    assert "cut off" in faults["cut.jpg"]
    assert "no JPEG" in faults["text.jpg"]


def test_a_thumbnail_inside_is_not_taken_for_the_end(uploads: Path) -> None:
    """A camera's EXIF thumbnail ends like a picture, and the upload may be cut right behind it."""
    whole, thumbnail = jpeg(paint(7)), jpeg(paint(1))
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2) + thumbnail
    (uploads / "a.jpg").write_bytes(whole[:2] + segment + whole[2:])
    (uploads / "b.jpg").write_bytes(whole[:2] + segment)
    found = {picture.source: picture for picture in drain(connect(uploads), 1.0)}
    assert number_of(found["a.jpg"]) == "鄂A00007"
    assert isinstance(found["b.jpg"], Unreadable)


def test_what_a_decoder_was_ended_over_is_tried_three_times_and_what_it_was_not_is_tried_anew(uploads: Path) -> None:
    def end(_: bytes) -> None:
        raise SystemExit

    for number in (1, 2):
        upload(uploads, number, age_s=10 - number)
    for _ in range(3):
        with pytest.raises(SystemExit):
            drain(FolderCamera(folder.Options(path=uploads), end))
    given_up, *others = drain(connect(uploads), settle=False)
    assert isinstance(given_up, Unreadable)
    assert given_up.source == "1.jpg"
    assert [number_of(one) for one in others] == ["鄂A00002"]
    upload(uploads, 3, "1.jpg")  # another picture under its name
    assert [number_of(one) for one in drain(connect(uploads)) if one.source == "1.jpg"] == ["鄂A00003"]
    (uploads / ".consumed.trying").write_text("nonsense")
    upload(uploads, 4)
    assert [number_of(one) for one in drain(connect(uploads))] == ["鄂A00004"]


def test_so_many_unsettled_pictures_are_enough(uploads: Path) -> None:
    for number in range(70):
        upload(uploads, number)
    camera = connect(uploads)
    pictures = drain(camera, settle=False)
    assert len(pictures) == 64
    for picture in pictures:
        assert picture.source is not None
        camera.settle(picture.source)
    assert len(drain(camera)) == 6


def test_what_cannot_work_says_what_to_do(tmp_path: Path, uploads: Path) -> None:
    with pytest.raises(DeviceLost, match="is no folder") as lost:
        connect(tmp_path / "nowhere")
    assert "create it" in str(lost.value.hint)
    with pytest.raises(DeviceLost, match="name another file with `ledger`"):
        connect(uploads, ledger=str(tmp_path / "missing" / "ledger"))
    with pytest.raises(DeviceLost, match="is the folder itself"):
        connect(uploads, after="move:.")
    camera = connect(uploads)
    uploads.rmdir()
    with pytest.raises(DeviceLost, match="still there"):
        drain(camera)


def test_a_name_in_another_encoding_does_no_harm(uploads: Path) -> None:
    path = os.fsencode(uploads) + b"/\xb3\xb5\xc5\xc6.jpg"
    with open(path, "wb") as stream:
        stream.write(jpeg(paint(5)))
    assert len(drain(connect(uploads))) == 1
    assert drain(connect(uploads)) == []


def test_ten_thousand_files_wait_and_the_oldest_come_first_at_once(uploads: Path) -> None:
    first = upload(uploads, 1, "00000.jpg", age_s=100)
    for number in range(1, 10_000):
        os.link(first, uploads / f"{number:05}.jpg")
    (uploads / "x.jpg").mkdir()
    upload(uploads, 2, "newest.jpg", age_s=50)
    camera, began = connect(uploads, after="delete"), time.monotonic()
    found: list[str] = []
    while len(found) < 150 and time.monotonic() - began < 600:
        picture = camera.read()
        if picture is not None and picture.source is not None:
            found.append(picture.source)
            camera.settle(picture.source)
    camera.close()
    assert found == [f"{number:05}.jpg" for number in range(150)]
    assert len(list(uploads.glob("*.jpg"))) == 10_000 - 150 + 2


@pytest.mark.usefixtures("humble")
@pytest.mark.parametrize("after", ["keep", "delete", "move:done"])
def test_a_picture_that_may_not_be_read_is_told_and_stays_until_it_may(uploads: Path, after: str) -> None:
    file = upload(uploads, 1)
    file.chmod(0)
    camera = connect(uploads, after=after)
    (told,) = drain(camera, 1.5)
    assert isinstance(told, Unreadable)
    assert "umask" in str(told.fault)
    assert file.exists()
    upload(uploads, 2)
    assert [number_of(picture) for picture in drain(camera)] == ["鄂A00002"]
    file.chmod(0o644)
    (picture,) = drain(camera)
    assert number_of(picture) == "鄂A00001"
    assert isinstance(picture, Frame)
    assert picture.origin != told.origin  # or the journal would take the passage for the one that was told
    assert file.exists() == (after == "keep")


@pytest.mark.usefixtures("humble")
@pytest.mark.parametrize("after", ["delete", "move:done"])
def test_a_folder_that_may_not_be_changed_is_refused_before_any_picture(uploads: Path, after: str) -> None:
    (uploads / "done").mkdir()
    ledger = str(uploads.parent / "ledger")
    uploads.chmod(0o555)
    with pytest.raises(DeviceLost, match="not writable"):
        connect(uploads, after=after, ledger=ledger)
    assert connect(uploads, ledger=ledger).read() is None
    uploads.chmod(0o755)
    (uploads / "done").chmod(0o555)
    if after != "delete":
        with pytest.raises(DeviceLost, match="done is not writable"):
            connect(uploads, after=after)
