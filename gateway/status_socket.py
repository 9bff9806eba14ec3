"""`status` over a Unix socket in the data folder: a caller connects and gets one JSON document; nothing is read."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.board import Board
from gateway.errors import Unreachable
from gateway.text import Text

NAME = "status.sock"
_TRY_AGAIN_S = 5.0

log = logging.getLogger(__name__)


class StatusSocket:
    """Answers every caller with `snapshot()`."""

    def __init__(self, data_dir: Path, snapshot: Callable[[], dict[str, Any]], board: Board) -> None:
        self._data_dir = data_dir
        self._snapshot = snapshot
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
                caller.settimeout(1.0)
                self._answer(caller)

    def _answer(self, caller: socket.socket) -> None:
        try:
            caller.sendall(json.dumps(self._snapshot(), ensure_ascii=False, default=str).encode())
        except OSError:
            self._board.count("status.broken_callers")

    @contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        path = self._data_dir / NAME
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


def ask(data_dir: Path, seconds: float = 3.0) -> dict[str, Any]:
    """The running daemon's status. Raises `Unreachable` when none runs on this data folder."""
    pieces = []
    try:
        with socket.socket(socket.AF_UNIX) as link, _short(data_dir / NAME) as address:
            link.settimeout(seconds)
            link.connect(address)
            while piece := link.recv(65536):
                pieces.append(piece)
        answer = json.loads(b"".join(pieces))
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
