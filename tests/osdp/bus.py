"""A two-wire line: the gateway's tty on one end, peripherals in processes of their own on the other."""

from __future__ import annotations

import json
import os
import queue
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from drivers.osdp.frames import Frame, FrameFinder
from tests.real import PATIENCE_S
from tests.wire import Tty

KEY = "9F86D081884C7D659A2FEAA0C55AD015"
_ROOT = Path(__file__).parent.parent.parent


class Reader:
    """A peripheral on the line, driven from a test."""

    def __init__(self, line: socket.socket, address: int, key: str, level: int) -> None:
        end = line.fileno()
        os.set_inheritable(end, True)
        command = [sys.executable, "-m", "tests.osdp.peripheral", str(end), str(address), key, str(level)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[end], cwd=_ROOT, text=True
        )
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        assert self._said.get(timeout=PATIENCE_S) == {"ready": True}

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.put(json.loads(line))

    def show(self, bits: int, data: str) -> None:
        """Hold a card before it."""
        self.tell(event=1, reader_no=0, format=1, direction=0, length=bits, data=data)

    def tell(self, **event: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()

    def command(self, seconds: float = PATIENCE_S) -> dict[str, Any]:
        """The next command it was given. Raises `queue.Empty`."""
        return self._said.get(timeout=seconds)

    def commands(self) -> list[dict[str, Any]]:
        """All there are by now."""
        found = []
        while not self._said.empty():
            found.append(self._said.get())
        return found

    def die(self) -> None:
        """Its power is cut."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


class Bus:
    """The wires. What the gateway sends reaches every peripheral; replies come back in pieces of `piece` bytes."""

    def __init__(self, piece: int = 0) -> None:
        self.tty = Tty()
        self.piece = piece
        self.sent: list[bytes] = []  # by the gateway
        self.on_command = lambda _data: None  # what a stranger on the wires does when the gateway has spoken
        self._ends: dict[int, socket.socket] = {}
        self._readers: dict[int, Reader] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    @property
    def path(self) -> str:
        return self.tty.path

    def reader(self, address: int = 0, key: str = KEY, level: int = 4) -> Reader:
        """Put a peripheral on the line, in place of one that was there."""
        self.remove(address)
        here, there = socket.socketpair()
        self._readers[address] = Reader(there, address, key, level)
        there.close()
        self._ends[address] = here
        return self._readers[address]

    def remove(self, address: int) -> None:
        """Cut its power."""
        if reader := self._readers.pop(address, None):
            end = self._ends.pop(address)
            reader.die()
            end.close()

    def unplug(self) -> None:
        """Pull the adapter out."""
        self.tty.unplug()

    def plug(self) -> None:
        """Put it in again: a new tty, of the same name once nobody has the old one open."""
        self.tty = Tty()

    def sent_codes(self) -> list[int]:
        """The codes of the commands that the gateway sent so far."""
        finder = FrameFinder()
        return [found.code for data in list(self.sent) for found in finder.feed(data) if isinstance(found, Frame)]

    def send(self, data: bytes) -> None:
        """To the gateway, as it would arrive."""
        size = self.piece or len(data)
        for at in range(0, len(data), size):
            self.tty.send(data[at : at + size])
            if self.piece:
                time.sleep(0.001)

    def _carry(self) -> None:
        while not self._stop.is_set():
            try:
                self._carry_once()
            except (OSError, ValueError):  # an end that went just now
                time.sleep(0.005)

    def _carry_once(self) -> None:
        ends = list(self._ends.values())
        master = self.tty.fileno()
        for source in select.select([master, *ends], [], [], 0.05)[0]:
            if source == master:
                data = os.read(master, 1024)
                self.sent.append(data)
                for end in ends:
                    end.sendall(data)
                self.on_command(data)
            else:
                self.send(source.recv(1024))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for address in list(self._readers):
            self.remove(address)
        self._stop.set()
        self._thread.join()
        self.tty.unplug()


class Link:
    """A name of a port, as in /dev/serial/by-id/: it leads to the tty of a bus, after a replug to another."""

    def __init__(self, path: Path, bus: Bus) -> None:
        self.port = str(path)
        self._path = path
        self.lead_to(bus)

    def lead_to(self, bus: Bus) -> None:
        self._path.unlink(missing_ok=True)
        self._path.symlink_to(bus.path)
