"""What a test does with an OSDP reader: open it, show it cards, read."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from drivers.readers import osdp
from drivers.wiegand_bits import LAYOUTS, encode
from gateway.errors import DeviceLost
from tests.osdp.bus import Bus, Reader
from tests.real import PATIENCE_S
from tests.standstill import awake
from tests.wire import cards


def word(facility: int, card: int) -> tuple[int, str]:
    """A card of 26 bits as a reader sends it."""
    bits = encode(facility << 16 | card, LAYOUTS["26"])
    return 26, int(bits.ljust(32, "0"), 2).to_bytes(4).hex()


def opened(bus: Bus, key_file: Path, seconds: float = PATIENCE_S, **options: Any) -> osdp.OsdpReader:
    """Connect as a worker does: again and again, for so long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            given = {"port": bus.path, "scbk_file": key_file, **options}
            return osdp.connect(osdp.Options.model_validate(given))
        except DeviceLost:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def read_until(reader: osdp.OsdpReader, done: Callable[[list[Any]], bool], seconds: float = PATIENCE_S) -> list[Any]:
    results: list[Any] = []
    deadline = awake() + seconds
    while not done(results) and awake() < deadline:
        start = awake()
        results += reader.read()
        assert awake() - start < 1.0  # half a second, and as much for a busy box
    return results


def pull_out(bus: Bus, reader: osdp.OsdpReader) -> None:
    """The adapter goes while the reader is open on it, which notices."""
    bus.unplug()
    with pytest.raises(DeviceLost):
        read_until(reader, lambda _: False)
    reader.close()


def shown(reader: osdp.OsdpReader, device: Reader, number: int) -> list[str]:
    """Hold a card before it until it is read, as people do: where the box is busy a session may fail meanwhile."""
    wanted, found = f"w26:61-{number}", list[str]()
    deadline = awake() + PATIENCE_S
    while wanted not in found and awake() < deadline:
        device.show(*word(61, number))
        with suppress(DeviceLost):
            found = cards(read_until(reader, bool, 1.5))
    return [wanted] if wanted in found else found
