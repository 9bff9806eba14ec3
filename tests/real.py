"""Real parts for tests: waiting with a deadline, free ports, a Mosquitto of one's own.

Nothing here pretends: each part is the program itself, started on loopback and ended with the test.
A limit of a wait costs nothing while all goes well: it is long.
"""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGCONT, SIGHUP, SIGKILL, SIGTERM, Signals
from types import TracebackType
from typing import Self

PATIENCE_S = 60.0  # whoever gives up earlier accuses the machine of what it does not do, only slowly
_PORTS = range(10_000, 32_000)  # below those that Linux gives to clients


def wait_until(truth: Callable[[], object], seconds: float = PATIENCE_S, what: str = "") -> None:
    """Poll until `truth()` holds; AssertionError with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    is_over = False
    while not truth():
        if is_over:
            raise AssertionError(f"not within {seconds:g} s: {what or truth}")
        time.sleep(0.02)
        is_over = time.monotonic() > deadline  # a look after it: who stood still at a poll has seen nothing yet


def free_port() -> int:
    """A TCP port of loopback on which nobody listens, and which no client of another test is given meanwhile."""
    while True:
        port = secrets.choice(_PORTS)  # not `random`, which hypothesis seeds alike in every process
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def needed(program: str, package: str) -> str:
    """The path of a program a test needs; fails naming the Debian package where it is missing."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        raise AssertionError(f"{program} is missing: apt-get install {package}")
    return path


class Mosquitto:
    """A Mosquitto on a free loopback port. `lines` are further configuration lines (TLS, ACL …).

    With `listener` lines of your own, pass `port` and put them in `lines`.
    """

    def __init__(self, folder: Path, *lines: str, port: int | None = None, own_listener: bool = False) -> None:
        self.port = port or free_port()
        self._folder = folder
        head = [] if own_listener else [f"listener {self.port} 127.0.0.1", "allow_anonymous true"]
        # root would drop to the user mosquitto, which cannot read a test's files
        text = ["user root", "persistence false", *head, *lines]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mosquitto.conf").write_text("\n".join(text) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        log = (self._folder / "mosquitto.log").open("ab")
        command = [needed("mosquitto", "mosquitto"), "-c", str(self._folder / "mosquitto.conf")]
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        wait_until(self._answers, what=f"mosquitto on port {self.port}, see {self._folder}/mosquitto.log")
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self._folder / "mosquitto.log").read_text(encoding="utf-8"))
        with socket.socket() as probe:
            probe.settimeout(0.2)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def signal(self, number: Signals) -> None:
        """SIGKILL, SIGSTOP, SIGCONT …"""
        assert self._process is not None
        self._process.send_signal(number)

    def reload(self) -> None:
        """Have it read its rules again; returns when it has."""
        before = self._reloads()
        self.signal(SIGHUP)
        wait_until(lambda: self._reloads() > before, what=f"rules read again, see {self._folder}/mosquitto.log")

    def _reloads(self) -> int:
        return (self._folder / "mosquitto.log").read_text(encoding="utf-8").count("Reloading config")

    def stop(self, number: Signals = SIGTERM) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(SIGCONT)
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop(SIGKILL)
