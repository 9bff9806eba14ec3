"""Runs inside the unit's sandbox: tries what the service must not do, and prints as JSON what the kernel said."""

from __future__ import annotations

import ctypes
import errno
import grp
import json
import mmap
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from gateway.clock import trust


def outcome(deed: Callable[[], object]) -> str:
    """The name of the error, or "done"."""
    try:
        deed()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def opened(device: str) -> str:
    node = f"/dev/probe-{device.replace(':', '-')}"
    return outcome(lambda: os.close(os.open(node, os.O_RDWR | os.O_NONBLOCK)))


def status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    pairs = (line.split(":\t") for line in lines if ":\t" in line)
    return {name: value for name, value in pairs if name in {"CapEff", "NoNewPrivs", "Seccomp"}}


def writable_code() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


print(
    json.dumps(
        {
            "write /etc": outcome(lambda: Path("/etc/probe").write_text("", encoding="ascii")),
            "list /root": outcome(lambda: os.listdir("/root")),
            **{f"open {device}": opened(device) for device in ("188:0", "166:0", "81:0", "10:229")},
            "packet socket": outcome(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
            "writable code": outcome(writable_code),
            "set clock": outcome(lambda: time.clock_settime(time.CLOCK_REALTIME, time.time())),
            "status": status(),
            "groups": sorted(grp.getgrgid(number).gr_name for number in os.getgroups()),
            "adjtimex": ctypes.CDLL(None).adjtimex(ctypes.byref((ctypes.c_char * 256)())),
            "trust": trust(),
        }
    )
)
