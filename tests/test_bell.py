"""A bell wakes whoever waits for it and for a socket, and no ring is lost."""

from __future__ import annotations

import socket
import threading
import time

from gateway.bell import Bell


def waited(bell: Bell, seconds: float, wire: socket.socket | None = None, *, to_write: bool = False) -> float:
    began = time.monotonic()
    bell.wait(seconds, wire, to_write=to_write)
    return time.monotonic() - began


def test_rings_that_came_before_wake_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert waited(bell, 20) < 10
    assert waited(bell, 0.05) >= 0.04


def test_another_thread_rings() -> None:
    bell = Bell()
    threading.Timer(0.05, bell.ring).start()
    assert waited(bell, 20) < 10


def test_a_socket_wakes_by_what_it_has_and_only_where_wanted_by_its_room() -> None:
    bell = Bell()
    near, far = socket.socketpair()
    with near, far:
        assert waited(bell, 0.05, near) >= 0.04
        assert waited(bell, 20, near, to_write=True) < 10
        far.send(b"x")
        assert waited(bell, 20, near) < 10
