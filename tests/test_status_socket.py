"""The daemon's socket: whoever asks, and however slowly, the next one is answered."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from gateway.board import Board
from gateway.status_socket import NAME, StatusSocket, ask
from tests.real import PATIENCE_S, wait_until


def test_a_caller_who_never_comes_to_an_end_holds_up_nobody(tmp_path: Path) -> None:
    stop, said = threading.Event(), threading.Event()
    server = threading.Thread(target=StatusSocket(tmp_path, lambda: {"devices": []}, Board()).run, args=(stop,))
    server.start()
    wait_until((tmp_path / NAME).exists, what="the daemon's socket")

    def dribble() -> None:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(tmp_path / NAME))
            while not stop.wait(0.05):
                try:
                    caller.send(b" ")
                except OSError:
                    return  # it was hung up on
                said.set()

    slow = threading.Thread(target=dribble)
    slow.start()
    try:
        assert said.wait(PATIENCE_S)
        assert ask(tmp_path, PATIENCE_S) == {"devices": []}
    finally:
        stop.set()
        slow.join()
        server.join()
