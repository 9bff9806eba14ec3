"""Why a camera does not stream: one DESCRIBE by hand, because FFmpeg only says that it did not open.

Rule: no step takes longer than two seconds, and its answer is an error with a next step and without a password.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from typing import Final
from urllib.parse import urlsplit

from drivers.cameras.credentials import Login
from drivers.cameras.reach import PORT, URL, lost, refused, unreachable
from gateway.errors import DeviceLost
from gateway.text import Text

_PATIENCE_S: Final = 2.0
_MOST: Final = 1 << 16
_PORTS: Final = {"rtsp": 554, "rtsps": 322}


def why(url: str, login: Login) -> DeviceLost:
    """Ask the camera for its stream and say what stands in the way."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 554)
    bare = Login().url_with(url)
    try:
        status = _describe(host, port, bare, login, encrypted=parts.scheme == "rtsps")
    except OSError as error:
        return unreachable(error, host, port)
    if status is None:
        return lost(
            "{host} 的端口 {port} 不是 RTSP", "{host} speaks no RTSP at port {port}", PORT, host=host, port=port
        )
    if status == 401:
        return refused(host, with_login=bool(login))
    if status == 404:
        return lost("{host} 没有这个码流路径", "{host} has no stream of that path", URL, host=host)
    if status == 200:
        return lost("{host} 有码流但无法打开", "{host} offers the stream, but it cannot be opened", _CODEC, host=host)
    return lost("{host} 应答 {status}", "{host} answers {status}", URL, host=host, status=status)


_CODEC = Text("试试 transport 的另一种取值，或改用 H.264", "try the other `transport`, or set the camera to H.264")


def _describe(host: str, port: int, url: str, login: Login, *, encrypted: bool) -> int | None:
    """The status of a DESCRIBE, after one try with the login where it is asked for; None from who speaks no RTSP."""
    deadline = time.monotonic() + _PATIENCE_S
    with socket.create_connection((host, port), timeout=_PATIENCE_S) as plain:
        wire = ssl._create_unverified_context().wrap_socket(plain) if encrypted else plain
        status, challenges = _ask(wire, url, 1, "", deadline)
        if status != 401 or not login:
            return status
        answer = login.answer(challenges, "DESCRIBE", url)
        return 401 if answer is None else _ask(wire, url, 2, f"Authorization: {answer}\r\n", deadline)[0]


def _ask(wire: socket.socket, url: str, number: int, extra: str, deadline: float) -> tuple[int | None, list[str]]:
    request = f"DESCRIBE {url} RTSP/1.0\r\nCSeq: {number}\r\nAccept: application/sdp\r\n{extra}\r\n"
    wire.sendall(request.encode())
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < _MOST:
        wire.settimeout(max(0.01, deadline - time.monotonic()))
        chunk = wire.recv(4096)
        if not chunk:
            raise ConnectionResetError("the camera hung up")
        answer += chunk
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    status = re.match(r"RTSP/\d\.\d (\d{3})", head)
    return int(status[1]) if status else None, re.findall(r"(?im)^WWW-Authenticate:[ \t]*(.+?)\s*$", head)
