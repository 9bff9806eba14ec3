"""The running daemon over a Unix socket in the data folder: one line of JSON, or nothing, is answered by one document.

Rule: who may connect is who may read the data folder. What is not among the deeds is answered with the status.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.board import Board
from gateway.errors import Unreachable
from gateway.text import Text

NAME = "status.sock"
_TRY_AGAIN_S = 5.0
_MOST_SAID = 4096
_CALLER_S = 1.0  # that a caller may take to ask, and to hear the answer: the thread is the only one
Deed = Callable[[Mapping[str, Any]], dict[str, Any]]

log = logging.getLogger(__name__)


class StatusSocket:
    """Answers with `snapshot()`, or with what the deed does that the caller names: `{"do": NAME, …}`."""

    def __init__(
        self,
        data_dir: Path,
        snapshot: Callable[[], dict[str, Any]],
        board: Board,
        deeds: Mapping[str, Deed] | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._snapshot = snapshot
        self._deeds = deeds or {}
        self._board = board

    def run(self, stop: threading.Event) -> None:
        """Answer until `stop`. A folder that takes no socket costs the status, and nothing else."""
        while not stop.is_set():
            try:
                with self._listening() as listener:
                    self._serve(listener, stop)
            except OSError as error:
                log.error("no status can be asked for: %s: %s", self._data_dir / NAME, error.strerror)
                stop.wait(_TRY_AGAIN_S)

    def _serve(self, listener: socket.socket, stop: threading.Event) -> None:
        while not stop.is_set():
            self._board.beat("status")
            try:
                caller, _ = listener.accept()
            except TimeoutError:
                continue
            with caller:
                self._answer(caller)

    def _answer(self, caller: socket.socket) -> None:
        try:
            asked = _hear(caller)
            deed = self._deeds.get(str(asked.get("do")))
            answer = deed(asked) if deed else self._snapshot()
            caller.settimeout(_CALLER_S)
            caller.sendall(json.dumps(answer, ensure_ascii=False, default=str).encode())
        except OSError:
            self._board.count("status.broken_callers")

    @contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        path = self._data_dir / NAME
        if _is_served(path):  # its daemon would never be heard of again
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener, _short(path) as address:
            listener.bind(address)
            path.chmod(0o660)
            listener.listen(4)
            listener.settimeout(0.5)
            try:
                yield listener
            finally:
                self._board.retire("status")
                path.unlink(missing_ok=True)


def _is_served(path: Path) -> bool:
    """Whether another daemon has the socket; one that was left behind by a kill refuses everybody."""
    try:
        with socket.socket(socket.AF_UNIX) as caller, _short(path) as address:
            caller.settimeout(1.0)
            caller.connect(address)
    except (TimeoutError, BlockingIOError):  # it has more callers than it can take just now
        return True
    except OSError:
        return False
    return True


def _hear(caller: socket.socket) -> Mapping[str, Any]:
    """What a caller wants; empty where it says nothing that makes sense, or not in time."""
    said, deadline = b"", time.monotonic() + _CALLER_S
    try:
        while len(said) < _MOST_SAID and not said.endswith(b"\n"):
            caller.settimeout(max(0.001, deadline - time.monotonic()))
            if not (piece := caller.recv(_MOST_SAID)):
                break
            said += piece
        asked = json.loads(said)
    except (TimeoutError, ValueError, RecursionError):
        return {}
    return asked if isinstance(asked, dict) else {}


def ask(data_dir: Path, seconds: float = 3.0, **wanted: Any) -> dict[str, Any]:
    """The running daemon's status, or its answer to `do=NAME, …`. Raises `Unreachable` when none runs on the folder.

    Raises `PermissionError` where the caller may not ask.
    """
    pieces = []
    try:
        with socket.socket(socket.AF_UNIX) as link, _short(data_dir / NAME) as address:
            link.settimeout(seconds)
            link.connect(address)
            link.sendall(json.dumps(wanted).encode() + b"\n")
            while piece := link.recv(65536):
                pieces.append(piece)
        answer = json.loads(b"".join(pieces))
    except PermissionError as error:  # it may run well: who asks is not of its group
        raise PermissionError(error.errno, error.strerror, str(data_dir / NAME)) from error
    except (OSError, ValueError) as error:
        raise Unreachable(
            Text("网关服务没有应答（{path}）", "no daemon answers at {path}").with_(path=data_dir / NAME),
            hint=Text("运行 systemctl status compound-gateway 查看", "look at systemctl status compound-gateway"),
        ) from error
    return dict(answer)


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A socket address is limited to 107 bytes; reach a long path through an open folder instead."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
