"""Parts of the house on threads of their own, for as long as a test looks at them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tests.real import PATIENCE_S


class Part(Protocol):
    def run(self, stop: threading.Event) -> object: ...


@contextmanager
def running(*parts: Part) -> Iterator[None]:
    """All of them; at the end each must stop. One that does not keeps no test run alive."""
    stop = threading.Event()
    threads = [threading.Thread(target=part.run, args=(stop,), daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert not any(thread.is_alive() for thread in threads)
