"""A real RTSP server: pictures, logins, and what is said when it goes or refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer

import psutil
import pytest

from drivers.cameras import rtsp
from drivers.cameras.credentials import Login, login_of
from drivers.cameras.rtsp import RtspCamera
from gateway.errors import DeviceLost
from tests.cameras.streaming import RtspServer
from tests.real import free_port, needed, wait_until
from tests.standstill import awake
from tests.striped import look_for_plates

PASSWORD = "s3cret/@:x%"
CHRONY = 323  # a time stamp may ask it over UDP


@pytest.fixture(autouse=True)
def options_of_one_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver tells FFmpeg through the environment of its process, which is its own everywhere but here."""
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtspServer]:
    with RtspServer(tmp_path, 12345) as running:
        yield running


def connect(url: str, **options: object) -> RtspCamera:
    return rtsp.connect(rtsp.Options.model_validate({"url": url, **options}))


def number(camera: RtspCamera) -> str:
    deadline = awake() + 60
    while awake() < deadline:
        frame = camera.read()
        if frame is not None:
            assert frame.stamp.age() < 1
            return look_for_plates(frame)[0].plate.number
    raise AssertionError("no picture")


def read_until_lost(camera: RtspCamera) -> None:
    def read_on() -> None:
        for _ in range(1000):  # what was on its way still comes
            camera.read()

    with pytest.raises(DeviceLost, match="broke off"):
        read_on()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pictures_come_by_the_transport_that_is_asked_for(server: RtspServer, transport: str) -> None:
    camera = connect(server.url, transport=transport)
    assert number(camera) == "鄂A12345"
    udp = psutil.Process(os.getpid()).net_connections("udp")
    assert bool([one for one in udp if not one.raddr or one.raddr.port != CHRONY]) == (transport == "udp")
    camera.close()


def test_a_killed_server_is_noticed_at_once_and_a_frozen_one_within_ten_seconds(server: RtspServer) -> None:
    frozen = connect(server.url)
    assert number(frozen) == "鄂A12345"
    server.signal(signal.SIGSTOP)
    began = awake()
    read_until_lost(frozen)
    assert awake() - began < 9
    frozen.close()
    server.signal(signal.SIGCONT)
    killed = connect(server.url)
    assert number(killed) == "鄂A12345"
    server.stop()
    began = awake()
    read_until_lost(killed)
    assert awake() - began < 3


def test_a_login_is_used_and_its_faults_are_named(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    with RtspServer(tmp_path, 321, "admin", PASSWORD) as server:
        camera = connect(server.url, username="admin", password_file=str(secret))
        assert number(camera) == "鄂A00321"
        camera.close()
        for options, hint in (
            ({"username": "root", "password_file": str(secret)}, "check `username`"),
            ({}, "set `username`"),
        ):
            with pytest.raises(DeviceLost, match="refuses the login") as lost:
                connect(server.url, **options)
            assert hint in str(lost.value)
            assert PASSWORD not in str(lost.value)
        secret.write_text("wrong")
        with pytest.raises(DeviceLost, match="refuses the login"):
            connect(server.url, username="admin", password_file=str(secret))
        with pytest.raises(DeviceLost, match="cannot be read"):
            connect(server.url, username="admin", password_file=str(tmp_path / "nowhere"))


def test_each_reason_not_to_stream_is_named(server: RtspServer) -> None:
    for url, words in (
        (f"rtsp://127.0.0.1:{server.port}/other", "no stream of that path"),
        (f"rtsp://127.0.0.1:{free_port()}/live", "refuses port"),
        ("rtsp://no-such-host.invalid/live", "there is no host"),
    ):
        began = awake()
        with pytest.raises(DeviceLost, match=words) as lost:
            connect(url)
        assert str(lost.value.hint)
        assert awake() - began < 5 or "no-such-host" in url  # a name server may take its time


def test_a_port_that_speaks_something_else_is_named() -> None:
    """The port of its web page, say, which every camera has, too."""

    class Page(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    with TCPServer(("127.0.0.1", 0), Page) as page:
        thread = threading.Thread(target=page.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            with pytest.raises(DeviceLost, match="speaks no RTSP at port") as lost:
                connect(f"rtsp://127.0.0.1:{page.server_address[1]}/live")
            assert "check the port" in str(lost.value)
        finally:
            page.shutdown()
            thread.join()


def test_a_camera_that_takes_the_call_and_says_nothing_is_given_up(server: RtspServer) -> None:
    server.signal(signal.SIGSTOP)
    began = awake()
    with pytest.raises(DeviceLost, match="does not answer"):
        connect(server.url)
    assert awake() - began < 9
    server.signal(signal.SIGCONT)


def test_a_camera_whose_key_pictures_are_rare_is_waited_for(tmp_path: Path) -> None:
    recording = tmp_path / "rare.h264"
    source = (
        "-f lavfi -i testsrc=size=320x240:rate=25 -t 8 -c:v libx264 -preset ultrafast -bf 0 -g 200 -pix_fmt yuv420p"
    )
    delimited = "-sc_threshold 0 -threads 1 -bsf:v h264_mp4toannexb,h264_metadata=aud=insert -f h264"
    command = [needed("ffmpeg", "ffmpeg"), "-loglevel", "error", *source.split(), *delimited.split(), str(recording)]
    subprocess.run(command, check=True)
    with RtspServer(tmp_path, recording) as server:
        first = connect(server.url)  # begins the recording, with its key picture
        began = time.monotonic()
        while time.monotonic() - began < 1.0:
            first.skip()
        second = connect(server.url)  # longer than OpenCV waits for one frame
        assert time.monotonic() - began > 2.5
        wait_until(second.skip)
        first.close()
        second.close()


def test_a_password_goes_into_the_url_for_ffmpeg_and_prints_nowhere() -> None:
    login = Login("admin", PASSWORD)
    assert PASSWORD not in repr(login)
    url = login.url_with("rtsp://10.0.0.1:554/stream1?a=b")
    assert url == "rtsp://admin:s3cret%2F%40%3Ax%25@10.0.0.1:554/stream1?a=b"


def test_a_login_inside_the_url_counts_where_none_is_given() -> None:
    assert login_of("rtsp://joe:p%40ss@10.0.0.1/live", "", None) == Login("joe", "p@ss")
    assert login_of("rtsp://joe:p%40ss@10.0.0.1/live", "ann", None) == Login("ann")
