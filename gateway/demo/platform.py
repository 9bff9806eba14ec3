"""The demo's city platform: a broker and a subscriber, two processes, and the road that leads to them."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

from gateway.demo.ledger import Ledger
from gateway.demo.road import Road
from gateway.errors import Unreachable

TOPIC = "compound/#"


class Platform:
    """Down, its broker is killed and the road cut; up, the road opens only once the subscriber listens again.

    A platform that is not listening cannot tell what it missed (the demo's broker keeps nothing), so the road waits.
    """

    def __init__(self, ledger: Ledger) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = int(probe.getsockname()[1])
        self.road = Road(self._port)
        self._ledger = ledger
        self._broker: subprocess.Popen[bytes] | None = None
        self._subscriber = subprocess.Popen(
            [sys.executable, "-m", "gateway.demo.subscriber", str(self._port), TOPIC],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the demo, which then ends its processes in order
        )
        threading.Thread(target=self._listen, name="platform", daemon=True).start()

    def up(self, seconds: float = 30.0) -> None:
        self._ledger.subscribed.clear()
        self._broker = subprocess.Popen(
            [sys.executable, "-m", "gateway.demo.broker", str(self._port)],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if not self._ledger.subscribed.wait(seconds):
            raise Unreachable("the demo's subscriber could not reach its broker")
        self.road.mend()

    def down(self) -> None:
        self.road.cut()
        if self._broker is not None:
            self._broker.kill()
            self._broker.wait()

    def close(self) -> None:
        self.down()
        self._subscriber.kill()
        self._subscriber.wait()
        self.road.close()

    def _listen(self) -> None:
        assert self._subscriber.stdout is not None
        for line in self._subscriber.stdout:
            self._ledger.hear(line)
