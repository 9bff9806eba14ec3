"""Cameras that go wrong in every way a camera can, and a nursery of theirs in a process as small as in service.

`python -m tests.vision.faulty_camera DESCRIPTOR` is that process: a nursery must be forked before there is a second
thread, and from little memory; a test run has plenty of both.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel

from drivers.cameras import folder, pictures
from gateway.clock import now
from gateway.contracts import Camera
from gateway.errors import DeviceLost
from gateway.registry import Driver, load_driver
from gateway.text import Text
from gateway.types import Frame
from gateway.vision.decoder import decode_camera
from gateway.vision.nursery import Nursery, _Births

if TYPE_CHECKING:
    from gateway.types import Image

ROOT = Path(__file__).resolve().parent.parent.parent


class Options(BaseModel, extra="forbid", frozen=True):
    """`first` is the fault of the first camera that finds `marker` absent; those after it have none."""

    marker: Path
    first: str = ""
    always: str = ""


def descriptors(kind: str) -> list[int]:
    """Those of this process above the standard ones that lead to something of this kind."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the listing's own has gone
            if int(name) > 2 and os.readlink(f"/proc/self/fd/{name}").startswith(kind):
                found.append(int(name))
    return found


class Stream:
    """A new brightness every 20 ms, until its fault comes after ten frames."""

    def __init__(self, fault: str) -> None:
        self._fault, self._frames = fault, 0
        self._hoard: list[bytearray] = []

    def read(self) -> Frame | None:
        time.sleep(0.02)
        self._frames += 1
        if self._frames > 10:
            self._go_wrong()
        value = self._frames * 40 % 256
        return Frame(np.tile(np.array([[[value]], [[255 - value]]], np.uint8), (20, 80, 3)), now())

    def close(self) -> None:
        pass

    def _go_wrong(self) -> None:
        match self._fault:
            case "lost":
                raise DeviceLost(Text("断了", "broke"), hint=Text("插好", "plug it in"))
            case "bug":
                raise ValueError("rtsp://admin:s3cret@10.0.0.1")
            case "hang":
                threading.Event().wait()
            case "segfault":
                ctypes.string_at(0)
            case "exit":
                os._exit(5)
            case "leak":
                self._hoard.append(bytearray(os.urandom(1 << 20) * 30))
            case "lie":
                for number in descriptors("pipe:"):
                    with suppress(OSError):  # one of them is to be read from
                        os.write(number, b'{"shown":{"slot":7}}\n')
            case "foreign slot":
                for number in descriptors("/memfd:"):
                    os.ftruncate(number, 0)


class Stills(Stream):
    def __init__(self, log: Path) -> None:
        super().__init__("")
        self._left, self._log = list(range(20)), log

    def read(self) -> Frame | None:
        if not self._left:
            time.sleep(0.02)
            return None
        number = self._left.pop(0)
        return Frame(np.full((2, 2, 3), number, np.uint8), now(), source=f"{number}.jpg", origin=f"{number}")

    def settle(self, source: str) -> None:
        with self._log.open("a") as log:
            log.write(source + "\n")


def deadly(data: bytes) -> Image | None:
    """A decoder that a picture can end, as those of real libraries have been ended: by a marker in its comment."""
    if b"segfault" in data:
        ctypes.string_at(0)
    return pictures.decoder()(data)


def connect(options: Options) -> Camera:
    if options.first == "stills":
        return Stills(options.marker)
    if options.first == "folder":
        return folder.FolderCamera(folder.Options(path=options.marker), deadly)
    fault = options.always
    if not options.marker.exists():
        fault = options.first
        options.marker.touch()
    if fault == "nobody home":
        raise DeviceLost("nobody home")
    if fault == "never opens":
        threading.Event().wait()
    return Stream(fault)


def load(name: str) -> Driver:
    return Driver(Options, connect) if name == "test" else load_driver("camera", name)


class FaultyNursery(Nursery):
    """A nursery whose decoders open these cameras as the driver `test`, and the program's own by their names."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        command = [sys.executable, "-m", __name__, str(theirs.fileno())]
        self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()])
        self.pid = self._process.pid
        theirs.close()

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


if __name__ == "__main__":
    orders = socket.socket(fileno=int(sys.argv[1]))
    _Births(orders, partial(decode_camera, load=load)).run()
