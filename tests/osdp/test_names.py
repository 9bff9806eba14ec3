"""Names of ports that lead elsewhere after a replug, as the links in /dev/serial/by-id/ do."""

from __future__ import annotations

from pathlib import Path

from tests.osdp.bus import Bus
from tests.osdp.reading import opened, shown


def test_adapters_that_swap_their_ttys_keep_their_readers(tmp_path: Path, key_file: Path) -> None:
    """A line is known by its tty: it must open that one, not the name of whoever had it before."""
    first, second = tmp_path / "first", tmp_path / "second"
    with Bus() as one, Bus() as other:
        for bus, link in ((one, first), (other, second)):
            bus.reader()
            link.symlink_to(bus.path)
            opened(bus, key_file, port=str(link)).close()
        for bus, link in ((other, first), (one, second)):
            link.unlink()
            link.symlink_to(bus.path)
        device = other.reader()
        reader = opened(other, key_file, port=str(first))
        assert shown(reader, device, 7) == ["w26:61-7"]
        reader.close()
