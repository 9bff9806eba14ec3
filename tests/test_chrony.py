"""What a real chronyd (4.3) answered, played back over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway import chrony
from gateway.chrony import Chrony, read_reply, request
from tests.real import wait_until

SEQUENCE = 0x12345678
SYNCHRONISED = bytes.fromhex(
    "060200000021000500000000000000001234567800000000000000007f7f01010000000000000000000000000000000000000000"
    "00080000000000006b0551140fba4823000000000000000000000000000000000000000000000000000000000000000000000000"
)
UNSYNCHRONISED = bytes.fromhex(
    "06020000002100050000000000000000123456780000000000000000000000000000000000000000000000000000000000000000"
    "00000003000000000000000000000000000000000000000000000000000000000000000000000000048000000480000000000000"
)


@contextmanager
def daemon(reply: bytes) -> Iterator[tuple[str, int]]:
    """Answers each request by `reply` under the request's own number."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def answer() -> None:
        while len(asked := (found := server.recvfrom(2048))[0]) > 1:
            server.sendto(reply[:16] + asked[8:12] + reply[20:], found[1])

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield server.getsockname()
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"x", server.getsockname())
        thread.join()
        server.close()


def test_what_a_real_daemon_said_is_understood() -> None:
    assert len(SYNCHRONISED) == len(UNSYNCHRONISED) == len(request(SEQUENCE)) == 104
    assert read_reply(SYNCHRONISED, SEQUENCE) is True
    assert read_reply(UNSYNCHRONISED, SEQUENCE) is False


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        SYNCHRONISED[:-1],
        SYNCHRONISED + b"\0",
        b"\5" + SYNCHRONISED[1:],  # another version
        SYNCHRONISED[:16] + b"\0\0\0\1" + SYNCHRONISED[20:],  # an answer to somebody else
        SYNCHRONISED[:8] + b"\0\2" + SYNCHRONISED[10:],  # "unauthorised"
    ],
)
def test_what_is_no_answer_is_passed_over(reply: bytes) -> None:
    assert read_reply(reply, SEQUENCE) is None


@pytest.mark.parametrize(("reply", "keeps"), [(SYNCHRONISED, True), (UNSYNCHRONISED, False)])
def test_nobody_waits_for_the_answer(reply: bytes, keeps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chrony, "_ASK_EVERY_S", 0.0)
    with daemon(reply) as address:
        asked = Chrony(address)
        assert not asked.keeps_clock()  # asks, and does not wait
        if keeps:
            wait_until(asked.keeps_clock)
        else:
            wait_until(lambda: asked.keeps_clock() or asked._heard > 0)
            assert not asked.keeps_clock()


def test_an_answer_is_believed_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chrony, "_ASK_EVERY_S", 0.0)
    with daemon(SYNCHRONISED) as address:
        asked = Chrony(address)
        wait_until(asked.keeps_clock)
    assert asked.keeps_clock()  # it has gone a moment ago
    monkeypatch.setattr(chrony, "_BELIEVE_S", 0.0)
    assert not asked.keeps_clock()


def test_where_no_daemon_listens_the_answer_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chrony, "_ASK_EVERY_S", 0.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    asked = Chrony(address)
    assert [asked.keeps_clock() for _ in range(5)] == [False] * 5
