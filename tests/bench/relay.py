"""A TCP relay before the broker, in a process of its own, that notes when each PUBACK leaves the broker.

    {"topic": "compound/v1/…/event/access", "at": 1234.567890}      one line on standard output a PUBACK

Rule: it stamps first, forwards second and reports last, so what it costs is the same for whoever speaks through it.
`at` is CLOCK_MONOTONIC, which is one clock for all processes of a machine. Run as `python -m tests.bench.relay PORT`.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from tests.bench.site import ROOT

PUBLISH, PUBACK = 3, 4


class Packets:
    """Cuts a stream into MQTT packets: (first byte, body)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        self._rest += data
        while len(self._rest) >= 2:
            size, at, shift = 0, 1, 0
            while at < len(self._rest):
                byte = self._rest[at]
                size |= (byte & 0x7F) << shift
                at, shift = at + 1, shift + 7
                if byte < 0x80:
                    break
            else:
                return
            if len(self._rest) < at + size:
                return
            yield self._rest[0], self._rest[at : at + size]
            self._rest = self._rest[at + size :]


class Conversation:
    """One client's two streams: which topic each open message number stands for."""

    def __init__(self) -> None:
        self._up, self._down = Packets(), Packets()
        self._topics: dict[int, str] = {}

    def from_client(self, data: bytes) -> None:
        for first, body in self._up.feed(data):
            if first >> 4 == PUBLISH and first & 0x06:
                end = 2 + int.from_bytes(body[:2])
                self._topics[int.from_bytes(body[end : end + 2])] = body[2:end].decode()

    def from_broker(self, data: bytes) -> Iterator[str]:
        """The topics that the broker acknowledges."""
        for first, body in self._down.feed(data):
            if first >> 4 == PUBACK and (topic := self._topics.pop(int.from_bytes(body[:2]), None)):
                yield topic


class Relay:
    """The relay's process, as the bench sees it."""

    def __init__(self, target: int) -> None:
        command = [sys.executable, "-m", "tests.bench.relay", str(target)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._lines = self._process.stdout
        self.port = int(self._lines.readline())
        self._noted: list[tuple[str, float]] = []
        threading.Thread(target=self._listen, name="relay", daemon=True).start()

    def _listen(self) -> None:
        for line in self._lines:
            noted = json.loads(line)
            self._noted.append((noted["topic"], noted["at"]))

    def answers(self, leaf: str) -> list[float]:
        """When the broker answered the messages of all topics that end so, in order."""
        return [at for topic, at in list(self._noted) if topic.endswith(leaf)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()


def main(target: int) -> None:
    """Carry bytes between every client and the broker on port `target`, until killed."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is listener:
                _join(waiting, listener.accept()[0], target)
            else:
                _carry(waiting, key)


def _join(waiting: selectors.BaseSelector, client: socket.socket, target: int) -> None:
    try:
        broker = socket.create_connection(("127.0.0.1", target))
    except OSError:
        client.close()
        return
    conversation = Conversation()
    for one, other, is_broker in ((client, broker, False), (broker, client, True)):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waiting.register(one, selectors.EVENT_READ, (other, conversation, is_broker))


def _carry(waiting: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    source = key.fileobj
    assert isinstance(source, socket.socket)
    sink, conversation, is_broker = key.data
    try:
        data = source.recv(65536)
        at = time.monotonic()
        if data:
            sink.sendall(data)
    except OSError:
        data = b""
    if not data:
        for end in (source, sink):
            waiting.unregister(end)
            end.close()
    elif is_broker:
        for topic in conversation.from_broker(data):
            print(json.dumps({"topic": topic, "at": at}), flush=True)
    else:
        conversation.from_client(data)


if __name__ == "__main__":
    main(int(sys.argv[1]))
