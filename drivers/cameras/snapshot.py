"""A camera that gives one JPEG per HTTP request, polled at an interval.

Rule: one request at a time, each bounded in time and bytes; no redirect is followed and no proxy is used, so the login
goes to the camera alone.
"""

from __future__ import annotations

import http.client
import ssl
import string
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BaseModel, Field

from drivers.cameras.credentials import Login, login_of, sound_url, without_user
from drivers.cameras.pictures import MAX_BYTES, decoder, inspect
from drivers.cameras.reach import CABLE, URL, lost, refused, unreachable
from gateway.clock import now
from gateway.errors import DeviceLost
from gateway.text import Text
from gateway.types import Frame

if TYPE_CHECKING:
    from gateway.types import Image

_PATIENCE_S: Final = 3.0
_NO_PICTURE = Text("{host} 没有送来图片：{why}", "{host} sends no picture: {why}")
_FILM = Text("{host} 送来的是连续视频，不是单张图片", "{host} sends a film (MJPEG), not one picture")
_SNAPSHOT = Text("url 须为摄像机的单张抓拍地址", "`url` must be the camera's address of a single snapshot")
_NO_HTTP = Text("应答不是 HTTP", "what it answers is no HTTP")
_TOO_MUCH = Text("数据太多，不会是一张图片", "it sends more than a picture")
_TOO_SLOW = Text("传送太慢", "it sends too slowly")


class Options(BaseModel, extra="forbid", frozen=True):
    """`interval` in seconds. Basic and Digest logins are answered. `https` certificates are verified."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$"), AfterValidator(sound_url)]
    interval: Annotated[float, Field(ge=0.1, le=3600)] = 1.0
    username: str = ""
    password_file: Path | None = None


def unusable(options: Options) -> Iterator[tuple[str, Text]]:
    return without_user(options.username, options.password_file)


class SnapshotCamera:
    """See the contract `Camera`. A picture that is cut off or none is a lost camera, since the next will be so too."""

    def __init__(self, options: Options, login: Login, decode: Callable[[bytes], Image | None]) -> None:
        self._login, self._decode, self._interval = login, decode, options.interval
        self._parts = urlsplit(options.url)
        self._host = self._parts.hostname or ""
        self._port = self._parts.port or (443 if self._parts.scheme == "https" else 80)
        path = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        self._path = quote(path, safe=string.punctuation)
        # Once: it reads the certificates of all authorities, which takes longer than a picture.
        self._tls = ssl.create_default_context() if self._parts.scheme == "https" else None
        self._challenges: list[str] = []
        self._due = time.monotonic()

    def read(self) -> Frame | None:
        wait = self._due - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, 0.5))
            if wait > 0.5:
                return None
        self._due = max(self._due + self._interval, time.monotonic())
        stamp = now()
        data = self._fetch()
        fault = inspect(data).fault
        pixels = None if fault else self._decode(data)
        if pixels is None:
            why = fault or Text("图片无法解码", "it cannot be decoded")
            raise DeviceLost(_NO_PICTURE.with_(host=self._host, why=why), hint=URL)
        return Frame(pixels, stamp)

    def close(self) -> None:
        """Nothing stays open between two requests."""

    def _fetch(self) -> bytes:
        try:
            status, challenges, data = self._request()
            if status == 401 and self._login and challenges:
                self._challenges = challenges
                status, _, data = self._request()
        except (OSError, http.client.IncompleteRead) as error:
            raise unreachable(error, self._host, self._port) from error
        except http.client.HTTPException as error:
            raise DeviceLost(_NO_PICTURE.with_(host=self._host, why=_NO_HTTP), hint=URL) from error
        if status == 401:
            self._challenges = []
            raise refused(self._host, with_login=bool(self._login))
        if status != 200:
            raise lost("{host} 应答 {n}", "{host} answers {n}", URL, host=self._host, n=status)
        return data

    def _request(self) -> tuple[int, list[str], bytes]:
        connection = self._connection()
        headers: dict[str, str | bytes] = {"Accept": "image/jpeg, image/png"}
        if answer := self._login.answer(self._challenges, "GET", self._path):
            headers["Authorization"] = answer.encode()
        try:
            connection.request("GET", self._path, headers=headers)
            response = connection.getresponse()
            data = self._bounded(response)
            return response.status, _challenges(response), data
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=_PATIENCE_S, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=_PATIENCE_S)

    def _bounded(self, response: http.client.HTTPResponse) -> bytes:
        """The body, in the time and size that a picture may take: a camera that trickles must not hold the thread."""
        if response.headers.get_content_maintype() == "multipart":
            raise DeviceLost(_FILM.with_(host=self._host), hint=_SNAPSHOT)
        deadline, data = time.monotonic() + _PATIENCE_S, bytearray()
        while chunk := response.read1(1 << 16):
            data += chunk
            too = _TOO_MUCH if len(data) > MAX_BYTES else _TOO_SLOW if time.monotonic() > deadline else None
            if too is not None:
                raise DeviceLost(_NO_PICTURE.with_(host=self._host, why=too), hint=CABLE)
        return bytes(data)


def connect(options: Options) -> SnapshotCamera:
    """Fetch one picture to see that the camera is there. Raises `DeviceLost`."""
    camera = SnapshotCamera(options, login_of(options.url, options.username, options.password_file), decoder())
    camera.read()
    return camera


def _challenges(response: http.client.HTTPResponse) -> list[str]:
    """One per header. The standard library reads Latin-1, but a name that a camera was given may be in UTF-8."""
    found = response.headers.get_all("WWW-Authenticate", [])
    return [" ".join(text.encode("latin-1").decode("utf-8", "replace").split()) for text in found]
