"""A camera polled over HTTP, a real server on loopback with Digest and Basic logins."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from drivers.cameras import rtsp, snapshot
from drivers.cameras.snapshot import SnapshotCamera
from gateway.errors import DeviceLost
from gateway.text import Language
from tests.real import free_port
from tests.striped import jpeg, look_for_plates, paint
from tests.uplink.parts import certificate

USER, PASSWORD = "admin", "s3cret"
REALM = "3号门 cam"


def answer(nonce: str, header: str) -> str:
    """What a client must send, worked out from RFC 7616 with the values it chose itself."""
    asked = {key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)}
    one = hashlib.md5(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
    two = hashlib.md5(f"GET:{asked['uri']}".encode()).hexdigest()
    return hashlib.md5(f"{one}:{nonce}:{asked['nc']}:{asked['cnonce']}:auth:{two}".encode()).hexdigest()


class Site(BaseHTTPRequestHandler):
    body: ClassVar[bytes] = b""
    scheme: ClassVar[str] = ""
    status: ClassVar[int] = 200
    kind: ClassVar[str] = "image/jpeg"

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        nonce = "abc123"
        good = {
            "": True,
            "basic": given == "Basic YWRtaW46czNjcmV0",
            "digest": given.startswith("Digest") and f'response="{answer(nonce, given)}"' in given,
        }[self.scheme]
        self.send_response(self.status if good else 401)
        if not good:
            basic, digest = 'Basic realm="other"', f'Digest realm="{REALM}", nonce="{nonce}", qop="auth"'
            for challenge in {"basic": [basic], "digest": [basic, digest, basic]}[self.scheme]:
                self.send_header("WWW-Authenticate", challenge.encode().decode("latin-1"))
        self.send_header("Content-Type", self.kind)
        self.end_headers()
        if good:
            self.wfile.write(self.body)

    def log_message(self, *_args: Any) -> None:
        """Tests print nothing."""


@pytest.fixture
def site() -> Iterator[tuple[type[Site], str]]:
    class Own(Site):
        body = jpeg(paint(77))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Own, f"http://127.0.0.1:{server.server_port}/snap.jpg?channel=1"
    server.shutdown()
    thread.join()
    server.server_close()


def connect(url: str, **options: object) -> SnapshotCamera:
    return snapshot.connect(snapshot.Options.model_validate({"url": url, "interval": 0.1, **options}))


@pytest.mark.parametrize("scheme", ["", "basic", "digest"])
def test_pictures_come_at_the_interval_whatever_login_is_asked_for(
    site: tuple[type[Site], str], tmp_path: Path, scheme: str
) -> None:
    own, url = site
    own.scheme = scheme
    (tmp_path / "password").write_text(f"{PASSWORD}\r\n", encoding="utf-8-sig")  # as Notepad saves it
    camera = connect(url, username=USER, password_file=str(tmp_path / "password"))
    for _ in range(3):
        frame = camera.read()
        assert frame is not None
        assert look_for_plates(frame)[0].plate.number == "鄂A00077"


def test_https_is_verified_against_authorities_that_are_read_once(
    site: tuple[type[Site], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = certificate(tmp_path, "ca")
    certificate(tmp_path, "server", ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), site[0]) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        url = f"https://127.0.0.1:{server.server_port}/snap.jpg"
        try:
            with pytest.raises(DeviceLost, match="cannot be trusted"):
                connect(url)
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
            camera = connect(url)
            (tmp_path / "ca.crt").unlink()  # reading them takes longer than a picture does
            assert camera.read() is not None
        finally:
            server.shutdown()
            thread.join()


def test_a_wrong_password_is_named_and_not_shown(site: tuple[type[Site], str], tmp_path: Path) -> None:
    own, url = site
    own.scheme = "digest"
    (tmp_path / "password").write_text("wrong-one")
    with pytest.raises(DeviceLost, match="refuses the login") as lost:
        connect(url, username=USER, password_file=str(tmp_path / "password"))
    assert "wrong-one" not in str(lost.value)
    with pytest.raises(DeviceLost, match="refuses the login"):
        connect(url)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"", "answers 404"),
        (302, b"", "answers 302"),
        (200, b"<html>", "no JPEG"),
        (200, jpeg(paint(1))[:-300], "cut off"),
        (200, b"\xff\xd8\xff" + bytes(33 << 20), "more than a picture"),
    ],
)
def test_what_is_no_picture_is_refused(site: tuple[type[Site], str], status: int, body: bytes, words: str) -> None:
    own, url = site
    own.status, own.body = status, body
    with pytest.raises(DeviceLost, match=words):
        connect(url)


def test_a_film_is_told_from_a_picture(site: tuple[type[Site], str]) -> None:
    own, url = site
    own.kind = "multipart/x-mixed-replace; boundary=x"
    with pytest.raises(DeviceLost, match="film") as lost:
        connect(url)
    assert "单张抓拍" in lost.value.say(Language.ZH)


@pytest.mark.parametrize(
    ("address", "zh", "en"),
    [
        ("127.0.0.1:{port}", "拒绝连接端口", "refuses port"),
        ("nosuch.invalid", "找不到主机", "there is no host"),
    ],
)
def test_a_camera_that_is_not_there_says_so_in_both_languages(address: str, zh: str, en: str) -> None:
    with pytest.raises(DeviceLost) as lost:
        connect(f"http://{address.format(port=free_port())}/snap.jpg")
    assert zh in lost.value.say(Language.ZH)
    assert en in lost.value.say(Language.EN)
    assert "url" in str(lost.value.hint)


def test_a_path_may_be_chinese(site: tuple[type[Site], str]) -> None:
    _, url = site
    assert connect(url.replace("snap", "东门抓拍")).read() is not None


def test_a_camera_that_hangs_up_in_the_middle_is_told_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            with listener.accept()[0] as camera:
                camera.recv(1000)
                camera.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc")

        talking = threading.Thread(target=talk)
        talking.start()
        with pytest.raises(DeviceLost, match="broke the connection"):
            connect(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        talking.join()


def test_what_speaks_no_http_writes_nothing_into_the_log() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        talk = threading.Thread(target=lambda: listener.accept()[0].sendall(b"\x1b[2J\x07" + bytes(500) + b"\n"))
        talk.start()
        with pytest.raises(DeviceLost, match="sends no picture") as lost:
            connect(url)
        talk.join()
    assert str(lost.value).isprintable()
    assert len(str(lost.value)) < 300


@pytest.mark.parametrize(
    "rest", ["[::1/x", "10.0.0.1:99999/x", "admin:pa#ss@10.0.0.1/x", "admin:pa/ss@10.0.0.1/x", "cam..lan/x"]
)
@pytest.mark.parametrize("driver", [snapshot, rtsp])
def test_an_address_whose_parts_are_not_what_they_seem_is_refused(driver: ModuleType, rest: str) -> None:
    scheme = "rtsp" if driver is rtsp else "http"
    with pytest.raises(ValidationError, match="password_file"):
        driver.Options(url=f"{scheme}://{rest}")
