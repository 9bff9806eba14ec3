"""Asks chronyd whether it keeps the clock: the kernel knows only where chrony.conf says `rtcsync`.

Rule: nobody waits for the answer. Each look takes what has come since and, now and then, asks again; an answer that is
too old counts for nothing. The protocol is chrony's own, version 6: a `tracking` request of 104 bytes to port 323 on
the loopback, which chronyd answers for any local user (chrony.conf(5), cmdport).
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time

ADDRESS = ("127.0.0.1", 323)
_HEAD = struct.Struct(">BBBBHHHHHHIII")  # version, type, -, -, command, reply, status, -, -, -, sequence, -, -
_ASK_HEAD = struct.Struct(">BBBBHHIII")  # version, type, -, -, command, attempt, sequence, -, -
_SIZE = 104  # of request and reply: a request is as long as its reply, so that nobody is flooded by it
_LEAP = 28 + 4 + 20 + 2  # after the head, the reference's id and address, and the stratum
_VERSION, _REQUEST, _REPLY, _TRACKING, _TRACKED = 6, 1, 2, 33, 5
_UNSYNCHRONISED = 3  # leap status (NTP): 0 to 2 are normal
_ASK_EVERY_S = 8.0
_BELIEVE_S = 30.0


class Chrony:
    """Thread-safe. `address` is where chronyd listens."""

    def __init__(self, address: tuple[str, int] = ADDRESS) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._sequence = 0
        self._asked = self._heard = float("-inf")
        self._keeps = False

    def keeps_clock(self) -> bool:
        """Whether chronyd said so within the last half minute. The first look after a while says no."""
        if not self._lock.acquire(blocking=False):
            return self._is_fresh() and self._keeps
        try:
            self._hear()
            if time.monotonic() - self._asked >= _ASK_EVERY_S:
                self._ask()
        except OSError:  # nobody listens there, or a sandbox forbids it
            self._close()
        finally:
            self._lock.release()
        return self._is_fresh() and self._keeps

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._heard < _BELIEVE_S

    def _ask(self) -> None:
        self._asked = time.monotonic()
        if self._socket is None:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.connect(self._address)
        self._sequence = int.from_bytes(os.urandom(4))
        self._socket.send(request(self._sequence))

    def _hear(self) -> None:
        while self._socket is not None:
            try:
                reply = self._socket.recv(2 * _SIZE)
            except BlockingIOError:
                return
            said = read_reply(reply, self._sequence)
            if said is not None:
                self._keeps, self._heard = said, time.monotonic()

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def request(sequence: int) -> bytes:
    """A `tracking` request."""
    return _ASK_HEAD.pack(_VERSION, _REQUEST, 0, 0, _TRACKING, 0, sequence, 0, 0).ljust(_SIZE, b"\0")


def read_reply(reply: bytes, sequence: int) -> bool | None:
    """Whether chronyd is synchronised; None for what is no answer to the request `sequence`."""
    if len(reply) != _SIZE:
        return None
    version, kind, _, _, command, told, status, _, _, _, answered, _, _ = _HEAD.unpack_from(reply)
    if (version, kind, command, told, status) != (_VERSION, _REPLY, _TRACKING, _TRACKED, 0) or answered != sequence:
        return None
    (leap,) = struct.unpack_from(">H", reply, _LEAP)
    return bool(leap != _UNSYNCHRONISED)
