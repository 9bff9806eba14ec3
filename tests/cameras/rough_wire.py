"""A bad wire between a camera and the gateway: a TCP relay before a real RTSP server that spoils what comes through.

Rule: it knows just enough of RTSP over TCP (RFC 2326, 10.12) to tell pictures (RTP in `$` frames) from answers, so that
a test can harm the one and leave the other, or harm both.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

_HEADER: Final = 12  # of RTP, without extensions: the server here sends none
_IDR, _FRAGMENT = 5, 28  # kinds of H.264 units (RFC 6184)

Harm = Callable[[bytes], bytes | None]


class RoughWire:
    """Relays to `target`. `harm` sees each RTP packet and returns what becomes of it; None swallows it.

    While `cut` is set nothing passes in either direction, and nobody is told: a cable pulled behind a switch.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"rtsp://127.0.0.1:{self.port}/live"
        self.harm: Harm | None = None
        self.harm_all: Callable[[bytes], bytes] | None = None  # of every byte from the camera, answers and framing too
        self.cut = threading.Event()
        self.calls = 0
        self._links: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for link in (self._listener, *self._links):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.calls += 1
                try:
                    far = socket.create_connection(("127.0.0.1", self._target), timeout=2)
                except OSError:
                    near.close()
                    continue
                far.settimeout(None)
                self._links += [near, far]
                threading.Thread(target=self._carry, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, True), daemon=True).start()

    def _carry(self, origin: socket.socket, goal: socket.socket, from_camera: bool) -> None:
        half = b""
        with contextlib.suppress(OSError):
            while chunk := origin.recv(1 << 16):
                if self.cut.is_set():
                    continue
                if not from_camera:
                    goal.sendall(chunk)
                    continue
                *parts, half = _parts(half + chunk)
                sent = b"".join(self._spoilt(part) for part in parts)
                goal.sendall(self.harm_all(sent) if self.harm_all else sent)
        for link in (origin, goal):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def _spoilt(self, part: bytes) -> bytes:
        if self.harm is None or part[:2] != b"$\0":  # channel 0 carries the pictures, 1 their reports
            return part
        packet = self.harm(part[4:])
        return b"" if packet is None else b"$\0" + len(packet).to_bytes(2) + packet


def _parts(data: bytes) -> Iterator[bytes]:
    """Whole `$` frames and answers, and last what is not whole yet, perhaps nothing."""
    while data:
        if data[0] == ord("$"):
            size = 4 + int.from_bytes(data[2:4]) if len(data) >= 4 else len(data) + 1
        else:
            head, end, _ = data.partition(b"\r\n\r\n")
            body = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
            size = len(head) + len(end) + int(body.partition(b":")[2]) if end else len(data) + 1
        if size > len(data):
            break
        yield data[:size]
        data = data[size:]
    yield data


def flip(share: float, seed: int = 7) -> Callable[[bytes], bytes]:
    """Bytes with so large a share of them changed."""
    dice = random.Random(seed)

    def harm(data: bytes) -> bytes:
        spoilt = bytearray(data)
        for _ in range(_rounded(len(data) * share, dice)):
            spoilt[dice.randrange(len(data))] ^= dice.randrange(1, 256)
        return bytes(spoilt)

    return harm


def flip_pictures(share: float) -> Harm:
    """The same for the picture in an RTP packet; its header stays whole."""
    harm = flip(share)
    return lambda packet: packet[:_HEADER] + harm(packet[_HEADER:])


def lose(share: float, seed: int = 7) -> Harm:
    """So large a share of the packets never arrives."""
    dice = random.Random(seed)
    return lambda packet: None if dice.random() < share else packet


def lose_key_pictures(packet: bytes) -> bytes | None:
    """Whatever can be decoded without one before it never arrives."""
    kind = packet[_HEADER] & 0x1F
    if kind == _FRAGMENT:
        kind = packet[_HEADER + 1] & 0x1F
    return None if kind == _IDR else packet


def _rounded(number: float, dice: random.Random) -> int:
    """Up or down, by chance, so that also of few bytes the share is right."""
    return int(number) + (dice.random() < number % 1)
