"""Fetching models by a list, from a loopback server that stops, lies, redirects and knows ranges or not."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import cli
from gateway.errors import GatewayError, ModelError, Rejected, Unreachable
from gateway.vision.catalogue import open_model
from gateway.vision.download import check_url, download
from gateway.vision.recommended import read_list, shipped_list
from tests.uplink.parts import certificate
from tests.vision.nets import plate_refiner


class Site(http.server.ThreadingHTTPServer):
    """Serves one file under any path; what it does wrong is set by the test."""

    daemon_threads = True

    def __init__(self, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.body = body
        self.ranges: list[str | None] = []
        self.stop_after: int | None = None  # bytes of one answer
        self.redirect_to = ""
        self.knows_ranges = True
        self.url = f"http://127.0.0.1:{self.server_address[1]}/net.onnx"


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site, asked = self.server, self.headers["Range"]
        site.ranges.append(asked)
        if site.redirect_to:
            self.send_response(302)
            self.send_header("Location", site.redirect_to)
            self.end_headers()
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and site.knows_ranges else 0
        if start >= len(site.body):
            self.send_error(416)
            return
        body = site.body[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(site.body) - 1}/{len(site.body)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: site.stop_after])

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield site
    site.shutdown()
    site.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A model as its maker has it."""
    plate_refiner(tmp_path / "maker" / "far-refiner")
    return tmp_path / "maker" / "far-refiner"


@pytest.fixture
def site(made: Path) -> Iterator[Site]:
    with serving(Site((made / "net.onnx").read_bytes())) as site:
        yield site


def fetch(site: Site, made: Path, path: Path) -> None:
    file = open_model(made).card.files[0]
    download(site.url, path, file.bytes, file.sha256)


def test_a_file_is_fetched_once(site: Site, made: Path, tmp_path: Path) -> None:
    for _ in range(2):
        fetch(site, made, tmp_path / "new" / "net.onnx")
    assert (tmp_path / "new" / "net.onnx").read_bytes() == site.body
    assert site.ranges == [None]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["net.onnx"]


def test_a_connection_that_breaks_goes_on_where_it_stopped(site: Site, made: Path, tmp_path: Path) -> None:
    size = len(site.body)
    site.stop_after = size // 5
    with pytest.raises(Unreachable) as caught:
        fetch(site, made, tmp_path / "net.onnx")
    assert "goes on" in str(caught.value.hint)
    assert len((tmp_path / "net.onnx.part").read_bytes()) == 3 * site.stop_after
    assert not (tmp_path / "net.onnx").exists()
    site.stop_after = None
    fetch(site, made, tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").read_bytes() == site.body
    assert site.ranges == [None, *(f"bytes={part * (size // 5)}-" for part in (1, 2, 3))]


def test_a_server_without_ranges_begins_again(site: Site, made: Path, tmp_path: Path) -> None:
    site.knows_ranges = False
    (tmp_path / "net.onnx.part").write_bytes(site.body[:100])
    fetch(site, made, tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").read_bytes() == site.body


@pytest.mark.parametrize("left", [b"\0" * 100, b"\0" * 100_000])
def test_the_beginning_of_another_file_is_thrown_away(site: Site, made: Path, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "net.onnx.part").write_bytes(left)
    fetch(site, made, tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").read_bytes() == site.body


@pytest.mark.parametrize("wrong", ["longer", "altered"])
def test_other_bytes_are_refused_and_deleted(site: Site, made: Path, tmp_path: Path, wrong: str) -> None:
    site.body = b"\0" + site.body if wrong == "longer" else site.body[:-1] + b"\xff"
    with pytest.raises(ModelError, match="not what the list says"):
        fetch(site, made, tmp_path / "net.onnx")
    assert not list(tmp_path.glob("net.onnx*"))


def test_nobody_there(site: Site, made: Path, tmp_path: Path) -> None:
    site.body = site.body[:0]
    with pytest.raises(Unreachable, match="416"):
        fetch(site, made, tmp_path / "net.onnx")
    with pytest.raises(Unreachable):
        download("http://127.0.0.1:9/net.onnx", tmp_path / "a", 10, "0" * 64)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/a.onnx", "ftp://127.0.0.1/a", "file:///etc/passwd", "http://127.0.0.1.example.org/a", "a"],
)
def test_only_https_or_this_box(site: Site, made: Path, tmp_path: Path, url: str) -> None:
    with pytest.raises(ModelError):
        check_url(url)
    site.redirect_to = url if ":" in url else "http://example.org/"
    with pytest.raises((ModelError, Unreachable)):
        fetch(site, made, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()


def test_https_with_a_certificate_that_holds_and_one_that_does_not(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate(tmp_path / "tls", "server", certificate(tmp_path / "tls", "ca"))
    site = Site((made / "net.onnx").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls" / "server.crt", tmp_path / "tls" / "server.key")
    site.socket = context.wrap_socket(site.socket, server_side=True)
    site.url = site.url.replace("http:", "https:")
    with serving(site):
        with pytest.raises(Unreachable, match="certificate"):
            fetch(site, made, tmp_path / "net.onnx")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls" / "ca.crt"))
        fetch(site, made, tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").read_bytes() == site.body


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def listed(tmp_path: Path, site: Site, made: Path) -> Path:
    path = tmp_path / "list.toml"
    card = (made / "model.toml").read_text(encoding="utf-8")
    path.write_text(
        f"[[models]]\nlicence_url = \"https://example.org/LICENSE\"\nurls = [\"{site.url}\"]\ncard = '''\n{card}'''\n",
        encoding="utf-8",
    )
    return path


def prepare(tmp_path: Path, *more: str | Path) -> Result:
    into = ["--into", str(tmp_path / "data" / "models")]
    return CliRunner().invoke(cli, ["models", "prepare", "--set", "recommended", *into, *map(str, more)])


def test_nothing_is_fetched_before_the_licence_is_accepted(tmp_path: Path, site: Site, listed: Path) -> None:
    result = prepare(tmp_path, "--list", listed)
    assert isinstance(result.exception, Rejected)
    assert "--accept-licence" in str(result.exception.hint)
    assert "https://example.org/LICENSE" in result.stdout
    assert site.ranges == []
    assert not (tmp_path / "data").exists()


def test_an_accepted_model_is_there_whole_and_not_fetched_twice(tmp_path: Path, site: Site, listed: Path) -> None:
    for _ in range(2):
        result = prepare(tmp_path, "--list", listed, "--accept-licence")
        assert result.exit_code == 0, result.output
    folder = tmp_path / "data" / "models" / "far-refiner"
    open_model(folder).verify()
    assert site.ranges == [None]
    folder.joinpath("net.onnx").write_bytes(b"altered")
    assert prepare(tmp_path, "--list", listed, "--accept-licence").exit_code == 0
    open_model(folder).verify()


def test_a_broken_download_leaves_what_was_there(tmp_path: Path, site: Site, listed: Path) -> None:
    site.stop_after = 10
    assert isinstance(prepare(tmp_path, "--list", listed, "--accept-licence").exception, Unreachable)
    assert [path.name for path in (tmp_path / "data" / "models").iterdir()] == [".fetch"]
    site.stop_after = None
    assert prepare(tmp_path, "--list", listed, "--accept-licence").exit_code == 0


def test_a_list_that_is_wrong_is_refused_whole(tmp_path: Path, listed: Path) -> None:
    text = listed.read_text(encoding="utf-8")
    changes = (("http://127", "http://128"), ("licence_url", "license_url"), ("urls = [", "urls = ['https://a.b/c', "))
    for old, new in (*changes, ("task = ", "tusk = "), ("[[models]]", "[[models")):
        listed.write_text(text.replace(old, new, 1), encoding="utf-8")
        result = prepare(tmp_path, "--list", listed, "--accept-licence")
        assert isinstance(result.exception, GatewayError), (old, result.output)
    assert isinstance(prepare(tmp_path, "--list", tmp_path / "none.toml").exception, ModelError)


def test_every_entry_of_the_shipped_list_comes_by_https() -> None:
    assert all(url.startswith("https://") for offer in read_list(shipped_list()) for url in offer.urls)


def test_the_example_of_the_shipped_list_is_a_list(tmp_path: Path) -> None:
    text = shipped_list().read_text(encoding="utf-8").split("--list FILE:\n#\n")[1]
    lines = [line.removeprefix("#").removeprefix(" ") for line in text.splitlines()]
    path = tmp_path / "list.toml"
    path.write_text("\n".join(lines).replace('"…"', f'"{"0" * 64}"'), encoding="utf-8")
    (offer,) = read_list(path)
    assert offer.card.adapter == "scrfd"
