"""One file from the net, by its exact size and sha256: goes on where it stopped, and is there whole or not at all.

Rule: https only (plain http from this box itself, for a mirror in a tunnel and for tests), also after a redirect; never
one byte more than announced is kept; bytes whose sha256 is another are deleted.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from gateway.errors import ModelError, Unreachable, unwritten
from gateway.text import Text

_TIMEOUT_S = 30.0
_CHUNK = 1 << 16
_TRIES = 3  # a connection that breaks is made again so often, if it brought anything
_AGAIN = Text("稍后重试，会从中断处继续", "try again later: it goes on where it stopped")


def download(url: str, path: Path, size: int, sha256: str, tell: Callable[[int], None] = lambda _: None) -> None:
    """Fetch `url` to `path` unless it is there; what arrives is kept beside it as `.part` and used by the next call.

    `tell` hears how many bytes there are. Raises `Unreachable`, `ModelError` for other bytes, `StoreError`.
    """
    check_url(url)
    part = path.with_name(path.name + ".part")
    try:
        if path.exists() and _is(path, size, sha256):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        went_on = _length(part) > 0
        _fill(url, part, size, tell)
        if went_on and not _is(part, size, sha256):  # what was there was of another file
            part.unlink()
            _fill(url, part, size, tell)
        if not _is(part, size, sha256):
            part.unlink()
            raise _other_bytes(url)
        part.replace(path)
    except OSError as error:
        raise unwritten(path, error) from error


def _fill(url: str, part: Path, size: int, tell: Callable[[int], None]) -> None:
    """Make `part` so long. Raises `Unreachable`."""
    for _ in range(_TRIES):
        before = _length(part)
        fault = _go_on(url, part, size, tell) if before < size else ""
        if _length(part) >= size:
            return
        if _length(part) <= before:
            break
    raise Unreachable(
        Text("无法下载 {url}：{fault}", "cannot fetch {url}: {fault}").with_(url=url, fault=fault), hint=_AGAIN
    )


def check_url(url: str) -> None:
    """Raises `ModelError` unless the address may be fetched from."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise ModelError(
        Text("不允许从 {url} 下载", "nothing is fetched from {url}").with_(url=url),
        hint=Text("只允许 https 地址", "only https addresses are allowed"),
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        check_url(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _go_on(url: str, part: Path, size: int, tell: Callable[[int], None]) -> str:
    """Append to `part` until it has `size` bytes or the connection ends; return what ended it."""
    have = _length(part)
    request = urllib.request.Request(url, headers={"User-Agent": "compound-gateway", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.build_opener(_Redirects).open(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # what is here is longer than what is there
            part.unlink(missing_ok=True)
        return f"HTTP {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return _words(error)
    with answer:
        goes_on = answer.status == 206
        if goes_on and not str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-"):
            return "the server sent another part of the file"
        with part.open("ab" if goes_on else "wb") as file:
            return _copy(answer, file, size - (have if goes_on else 0), lambda missing: tell(size - missing))


def _copy(answer: Any, file: BinaryIO, missing: int, tell: Callable[[int], None]) -> str:
    """Write at most so many bytes; return what ended it."""
    while missing > 0:
        try:
            data = answer.read(min(_CHUNK, missing))
        except (OSError, http.client.HTTPException) as error:
            return _words(error)
        if not data:
            return "the connection ended early"
        file.write(data)
        missing -= len(data)
        tell(missing)
    return ""


def _words(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error) or type(error).__name__


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is(path: Path, size: int, sha256: str) -> bool:
    if _length(path) != size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _other_bytes(url: str) -> ModelError:
    return ModelError(
        Text(
            "{url} 的内容与清单中的校验值不符，已删除",
            "what {url} sent is not what the list says (size or sha256); it was deleted",
        ).with_(url=url),
        hint=Text("清单或网站已变更；请核对来源", "the list or the site has changed: check the source"),
    )
