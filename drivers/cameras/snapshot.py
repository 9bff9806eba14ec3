"""A camera that gives one JPEG per HTTP request, polled at an interval.

Rule: one request at a time, each bounded in time and bytes; no redirect is followed and no proxy is used, so the login
goes to the camera alone.
"""

from __future__ import annotations

import http.client
import ssl
import string
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BaseModel, Field

from drivers.cameras.credentials import Login, login_of, sound_url
from drivers.cameras.pictures import MAX_BYTES, decoder, inspect
from gateway.clock import now
from gateway.errors import DeviceLost
from gateway.text import Text, on_one_line
from gateway.types import Frame

if TYPE_CHECKING:
    from gateway.types import Image

_PATIENCE_S: Final = 3.0
_LONGEST_WHY: Final = 120
_NO_PICTURE = Text("{host} 没有送来图片：{why}", "{host} sends no picture: {why}")
_LOGIN = Text("检查 username 和 password_file", "check `username` and `password_file`")
_URL = Text("检查 url、网线和供电", "check `url`, cable and power")


class Options(BaseModel, extra="forbid", frozen=True):
    """`interval` in seconds. Basic and Digest logins are answered. `https` certificates are verified."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$"), AfterValidator(sound_url)]
    interval: Annotated[float, Field(ge=0.1, le=3600)] = 1.0
    username: str = ""
    password_file: Path | None = None


class SnapshotCamera:
    """See the contract `Camera`. A picture that is cut off or none is a lost camera, since the next will be so too."""

    def __init__(self, options: Options, login: Login, decode: Callable[[bytes], Image | None]) -> None:
        self._login, self._decode, self._interval = login, decode, options.interval
        self._parts = urlsplit(options.url)
        path = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        self._path = quote(path, safe=string.punctuation)
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
            raise DeviceLost(_NO_PICTURE.with_(host=self._parts.hostname, why=why), hint=_URL)
        return Frame(pixels, stamp)

    def close(self) -> None:
        """Nothing stays open between two requests."""

    def _fetch(self) -> bytes:
        host = self._parts.hostname
        try:
            status, challenges, data = self._request()
            if status == 401 and self._login and challenges:
                self._challenges = challenges
                status, _, data = self._request()
        except (OSError, http.client.HTTPException) as error:
            why = _shown(self._login.mask(str(error)))
            raise DeviceLost(_NO_PICTURE.with_(host=host, why=why), hint=_URL) from error
        if status == 401:
            self._challenges = []
            raise DeviceLost(Text("{host} 拒绝登录", "{host} refuses the login").with_(host=host), hint=_LOGIN)
        if status != 200:
            raise DeviceLost(Text("{host} 应答 {n}", "{host} answers {n}").with_(host=host, n=status), hint=_URL)
        return data

    def _request(self) -> tuple[int, list[str], bytes]:
        connection = self._connection()
        headers: dict[str, str | bytes] = {"Accept": "image/jpeg, image/png"}
        if answer := self._login.answer(self._challenges, "GET", self._path):
            headers["Authorization"] = answer.encode()
        try:
            connection.request("GET", self._path, headers=headers)
            response = connection.getresponse()
            data = _bounded(response)
            return response.status, _challenges(response), data
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=_PATIENCE_S, context=context)
        return http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)


def connect(options: Options) -> SnapshotCamera:
    """Fetch one picture to see that the camera is there. Raises `DeviceLost`."""
    camera = SnapshotCamera(options, login_of(options.url, options.username, options.password_file), decoder())
    camera.read()
    return camera


def _challenges(response: http.client.HTTPResponse) -> list[str]:
    """One per header. The standard library reads Latin-1, but a name that a camera was given may be in UTF-8."""
    found = response.headers.get_all("WWW-Authenticate", [])
    return [" ".join(text.encode("latin-1").decode("utf-8", "replace").split()) for text in found]


def _shown(why: str) -> str:
    """What went wrong, fit for a log: it may quote whatever the other side sent."""
    return on_one_line(why[:_LONGEST_WHY])


def _bounded(response: http.client.HTTPResponse) -> bytes:
    """The body, in the time and size that a picture may take: a camera that trickles must not hold the thread."""
    deadline, data = time.monotonic() + _PATIENCE_S, bytearray()
    while chunk := response.read1(1 << 16):
        data += chunk
        if len(data) > MAX_BYTES:
            raise OSError("it sends more than a picture")
        if time.monotonic() > deadline:
            raise TimeoutError("it sends too slowly")
    return bytes(data)
