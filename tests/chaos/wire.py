"""The network between the daemon and a broker: open, refusing, swallowing (as in the uplink's tests), or slow.

Several upstream ports are the nodes of a cluster: a new connection goes to the node of the last one, or the next that
takes it.
"""

from __future__ import annotations

import socket
import time
from collections import deque

from tests.uplink.parts import Wire as TestWire


class Wire(TestWire):
    def __init__(self, upstream: list[int]) -> None:
        self._delay_s = 0.0
        self._bytes_per_s = float("inf")
        self._nodes = deque(upstream)
        super().__init__(upstream[0])

    @property
    def node(self) -> int:
        """The upstream port of the last connection."""
        return self._nodes[0]

    def slow_down(self, delay_s: float, bytes_per_s: float) -> None:
        """From now on everything comes late, and little at a time."""
        self._delay_s, self._bytes_per_s = delay_s, bytes_per_s

    def speed_up(self) -> None:
        self._delay_s, self._bytes_per_s = 0.0, float("inf")

    def _reach(self) -> socket.socket:
        for _ in range(len(self._nodes) - 1):
            try:
                return socket.create_connection(("127.0.0.1", self._nodes[0]))
            except OSError:
                self._nodes.rotate(-1)
        return socket.create_connection(("127.0.0.1", self._nodes[0]))

    def _carry(self, sink: socket.socket, data: bytes) -> None:
        time.sleep(self._delay_s + len(data) / self._bytes_per_s)
        super()._carry(sink, data)
