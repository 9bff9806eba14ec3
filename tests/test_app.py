"""Layers: threads that start and stop together."""

from __future__ import annotations

import threading
import time

from gateway.app import Layer


def test_threads_that_do_not_end_share_the_patience_of_their_layer() -> None:
    """Six relays at a dead serial server took six times as long, and the stop was no longer a clean one."""
    release = threading.Event()

    def hang(_: threading.Event) -> None:
        release.wait(10)

    layer = Layer("doors", [(f"actuator:{number}", hang) for number in range(6)], 0.3)
    layer.start()
    began = time.monotonic()
    layer.end()
    assert time.monotonic() - began < 1.0
    release.set()
