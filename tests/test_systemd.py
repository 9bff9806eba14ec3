"""What systemd hears: a real datagram socket stands where systemd listens."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.board import Board
from gateway.systemd import StatusLine, Watchdog, notify, watchdog_period


@pytest.fixture(params=["in a folder", "abstract"])
def listener(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    address = f"@gateway-{tmp_path}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(address.replace("@", "\0", 1))
        link.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield link


def heard(listener: socket.socket) -> list[str]:
    return listener.recv(4096).decode().split("\n")


def drain(listener: socket.socket) -> None:
    """Take what lies there."""
    listener.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            heard(listener)


def test_lines_arrive_together(listener: socket.socket) -> None:
    notify("READY=1", "STATUS=读卡器 2/2")
    assert heard(listener) == ["READY=1", "STATUS=读卡器 2/2"]


def test_words_never_become_orders(listener: socket.socket) -> None:
    notify("STATUS=a fault\nMAINPID=1\r\nWATCHDOG=1")
    assert heard(listener) == ["STATUS=a fault MAINPID=1 WATCHDOG=1"]


def test_nobody_has_to_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")  # logged, and the doors go on


@pytest.mark.parametrize(("usec", "seconds"), [("3000000", 1.0), ("90000000", 5.0), ("0", 5.0), ("", 5.0), ("x", 5.0)])
def test_it_is_fed_three_times_a_period(usec: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    assert watchdog_period() == seconds


def test_it_is_fed_while_every_part_beats(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "150000")
    board, stop = Board(), threading.Event()
    for part in ("doorkeeper", "recorder"):
        board.beat(part, allowed_age=600)
    thread = threading.Thread(target=Watchdog(board).run, args=(stop,))
    thread.start()
    try:
        assert heard(listener) == ["WATCHDOG=1"]
        board.beat("recorder", allowed_age=0.1)
        time.sleep(0.6)  # the recorder is stuck; the doorkeeper alone does not count
        drain(listener)
        listener.settimeout(0.3)
        with pytest.raises(TimeoutError):
            heard(listener)
        board.beat("recorder", allowed_age=600)
        listener.settimeout(60)
        assert heard(listener) == ["WATCHDOG=1"]
    finally:
        stop.set()
        thread.join()


def test_the_words_follow_the_house(listener: socket.socket) -> None:
    words, stop = iter(["one", "two"]), threading.Event()

    def next_words() -> str:
        found = next(words, "")
        if not found:
            stop.set()
        return found

    StatusLine(next_words, every=0.01).run(stop)
    assert [heard(listener), heard(listener)] == [["STATUS=one"], ["STATUS=two"]]
