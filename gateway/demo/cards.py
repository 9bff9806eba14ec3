"""The demo's card readers: pseudo-terminals that get the very bytes an RDM6300 or a Wiegand box would send."""

from __future__ import annotations

import os
import tty


class VirtualReader:
    """A serial line: the gateway opens `path`, the demo presents cards at the other end."""

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self._slave = slave  # kept open, so that the line outlives a killed daemon

    def present(self, frame: bytes) -> None:
        os.write(self._master, frame)

    def close(self) -> None:
        os.close(self._master)
        os.close(self._slave)


def rdm6300_frame(number: bytes) -> bytes:
    """The 14 bytes an RDM6300 sends for a five-byte EM4100 number."""
    check = 0
    for byte in number:
        check ^= byte
    return b"\x02" + (number + bytes([check])).hex().upper().encode() + b"\x03"


def wiegand26_line(facility: int, card: int) -> bytes:
    """A Wiegand-26 read as a line of bits, both parities right."""
    bits = f"{facility:08b}{card:016b}"
    even = bits[:12].count("1") % 2
    odd = 1 - bits[12:].count("1") % 2
    return f"{even}{bits}{odd}\r\n".encode()
