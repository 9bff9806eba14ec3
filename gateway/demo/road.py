"""The road between the gateway and the platform: a TCP relay on loopback that can be cut and mended."""

from __future__ import annotations

import contextlib
import socket
import threading


class Road:
    """Listens on `port` and carries bytes to `target` while it is open. Closed, it cuts and refuses everything."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=8)
        self.port = int(self._listener.getsockname()[1])
        self._open = threading.Event()
        self._links: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="road", daemon=True).start()

    def mend(self) -> None:
        self._open.set()

    def cut(self) -> None:
        self._open.clear()
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            _end(link)

    def close(self) -> None:
        self.cut()
        _end(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                if not self._open.is_set():
                    raise ConnectionRefusedError
                far = socket.create_connection(("127.0.0.1", self._target), timeout=2)
                far.settimeout(None)
            except OSError:
                _end(near)
                continue
            with self._lock:
                self._links |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), name="road", daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
        for link in (source, sink):
            with self._lock:
                self._links.discard(link)
            _end(link)


def _end(link: socket.socket) -> None:
    """Close at once, waking whoever waits on it."""
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
