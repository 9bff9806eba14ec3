"""Where decoders are born: a process forked early, while there was one thread, that forks one decoder per camera.

Measured against starting each as a program of its own: 24 MB less memory a camera, since what is imported is shared,
and a new decoder within hundredths of a second instead of a second and more on a slow box (docs/decisions/0009).

Rule: it touches no pixel and believes nobody but its parent; when the parent ends, it and all decoders end.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from gateway.child import Pipes, die_first, die_with_parent
from gateway.text import Text
from gateway.vision import heap
from gateway.vision.decoder import decode_camera
from gateway.vision.handover import REPORTS, Born, Over
from gateway.vision.slots import Slots

DECODER: Final = Text("解码进程", "its decoder")
_OOM_SCORE: Final = 700  # where memory ends, a decoder goes first: it is the quickest to come back
_STREAMS: Final = 3  # descriptors below this are the standard ones

Work = Callable[[int, int, Slots], None]


class Nursery:
    """Our end of it. To be made before any thread is started."""

    def __init__(self, work: Work = decode_camera) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        gc.freeze()  # what is here by now is shared: no collection shall touch it
        self.pid = os.fork()
        if self.pid == 0:
            _end_after(lambda: _Births(theirs, work).run())
        theirs.close()

    def start(self, slots: Slots) -> Pipes:
        """Have a decoder born; it says `Born` on its pipe. Raises `OSError` where the nursery is gone."""
        orders, into = os.pipe()
        out, lines = os.pipe()
        try:
            with self._lock:
                socket.send_fds(self._socket, [b"decoder"], [orders, lines, slots.descriptor])
        except OSError:
            os.close(into)
            os.close(out)
            raise
        finally:
            os.close(orders)
            os.close(lines)
        return Pipes(into, out, DECODER)

    def close(self) -> None:
        """End it, and every decoder with it."""
        self._socket.close()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class _Births:
    """The nursery's side: waits for orders to fork, and for decoders to end."""

    def __init__(self, orders: socket.socket, work: Work) -> None:
        die_with_parent()
        _name("nursery")
        _keep_only(orders.fileno())
        self._orders, self._work = orders, work
        self._selector = selectors.DefaultSelector()
        self._selector.register(orders, selectors.EVENT_READ)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._orders:
                    self._bear()
                else:
                    self._bury(key.fd, *key.data)

    def _bear(self) -> None:
        packet, descriptors, _, _ = socket.recv_fds(self._orders, 64, 3)
        if not packet:
            os._exit(0)
        orders, lines, slots = descriptors
        pid = os.fork()
        if pid == 0:
            _end_after(lambda: self._live(orders, lines, slots))
        os.close(orders)
        os.close(slots)
        self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, lines))

    def _live(self, orders: int, lines: int, slots: int) -> None:
        die_with_parent()
        heap.give_back_pictures()
        _name("decoder")
        _keep_only(orders, lines, slots)
        die_first(_OOM_SCORE)
        os.write(lines, REPORTS.encode(Born(os.getpid())))
        self._work(orders, lines, Slots(slots))

    def _bury(self, pidfd: int, pid: int, lines: int) -> None:
        """Say how it ended, on its own pipe: after its last word, and if nobody listens to nobody."""
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        os.set_blocking(lines, False)
        with suppress(OSError):
            os.write(lines, REPORTS.encode(Over(os.waitstatus_to_exitcode(status))))
        os.close(lines)


def _end_after(life: Callable[[], None]) -> NoReturn:
    """All that a forked process does. It never returns into what it was forked from."""
    code = 1
    try:
        life()
        code = 0
    except BaseException as error:  # noqa: BLE001 - the roof of a process
        at = traceback.extract_tb(error.__traceback__)[-1]
        print(f"{type(error).__name__} at {at.filename}:{at.lineno}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _keep_only(*wanted: int) -> None:
    """Close every inherited descriptor but the standard streams and these; standard input and output lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)  # what a library prints goes where the log goes
    for name in os.listdir("/proc/self/fd"):
        if int(name) >= _STREAMS and int(name) not in wanted:
            with suppress(OSError):
                os.close(int(name))


def _name(name: str) -> None:
    """What `ps` and `top` show (proc(5), comm)."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name, encoding="ascii")
