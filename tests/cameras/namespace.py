"""A network namespace at the other end of a cable, in which packets may be dropped. Needs root.

Rule: it is named by this process and taken down with the test; the addresses are those that RFC 2544 keeps for tests.
"""

from __future__ import annotations

import os
import subprocess
from types import TracebackType
from typing import Final, Self

from tests.real import needed

_FIRST: Final = (198 << 24) + (18 << 16)  # of 198.18.0.0/15: room for 32768 networks of four addresses


class Namespace:
    """`host` is its own address; what runs in it is reached there."""

    def __init__(self) -> None:
        number = os.getpid() % 32_768
        self.name, self._near = f"gateway-test-{os.getpid()}", f"gwt{number}"
        self._own, self.host = (_written(_FIRST + 4 * number + last) for last in (1, 2))

    def __enter__(self) -> Self:
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self._near, "type", "veth", "peer", "name", "eth0", "netns", self.name)
            for inside, device, address in (((), self._near, self._own), (("-n", self.name), "eth0", self.host)):
                _ip(*inside, "address", "add", f"{address}/30", "dev", device)
                _ip(*inside, "link", "set", device, "up")
        except subprocess.CalledProcessError:
            _ip("netns", "delete", self.name)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _ip("link", "delete", self._near)  # now, and not when the kernel has forgotten the last connection
        _ip("netns", "delete", self.name)

    def drop(self, *, arriving: str = "", leaving: str = "") -> None:
        """From now on drop what these expressions of nft(8) match, and nothing else."""
        chains = "".join(
            f"chain {hook} {{ type filter hook {hook} priority 0\n{what} drop\n}}\n"
            for hook, what in (("input", arriving), ("output", leaving))
            if what
        )
        nft = ["ip", "netns", "exec", self.name, needed("nft", "nftables"), "-f", "-"]
        subprocess.run(nft, input=f"flush ruleset\ntable inet rough {{\n{chains}}}\n", text=True, check=True)


def _ip(*words: str) -> None:
    subprocess.run([needed("ip", "iproute2"), *words], check=True)


def _written(address: int) -> str:
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))
