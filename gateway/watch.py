"""The vision child: cameras in, observations out on a pipe. `python -m gateway.watch`, started by the supervisor.

Everything that feeds strangers' pixels to native code runs here and below, and not beside the doors: recognition in
this process (`gateway.vision.watch`), each camera's decoder in one of its own (`gateway.vision.nursery`), which may
hang all by itself. Rule: this process may crash, hang and leak; it is replaced.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from functools import partial
from typing import BinaryIO, Final

from pydantic import ValidationError

from gateway.child import die_first, die_with_parent, own_stdout
from gateway.errors import BadFrame
from gateway.lines import MAX_LINE
from gateway.settings import Settings
from gateway.vision.looks import Build, build
from gateway.vision.nursery import Nursery
from gateway.vision.watch import Watch
from gateway.wire import Hello, Message, Order, decode, encode

log = logging.getLogger(__name__)

EXIT_USAGE: Final = 2
_NICE: Final = 5  # the doors come first
_OOM_SCORE: Final = 500


def main(build: Build = build) -> None:
    """Run until standard input ends. Never returns: native threads are not waited for."""
    pipe = own_stdout()
    _depend_on_parent()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s vision %(name)s: %(message)s")
    threading.excepthook = _end_with_traceback
    orders = sys.stdin.buffer
    try:
        settings = Settings.model_validate_json(orders.readline(MAX_LINE))
    except ValidationError as error:
        log.critical("no usable settings on standard input: %d faults", error.error_count())
        os._exit(EXIT_USAGE)
    nursery = Nursery()  # before there is a second thread
    say = _Speaker(pipe)
    say(Hello(os.getpid()))
    stop = threading.Event()
    watch = Watch(settings, say, build, nursery)
    for part in (partial(watch.load, stop), partial(_obey, watch, orders, stop)):
        threading.Thread(target=part, daemon=True).start()
    watch.run(stop)
    os._exit(0)


class _Speaker:
    """Writes lines, whole ones, from any thread. Without a listener this process has no purpose."""

    def __init__(self, pipe: int) -> None:
        self._pipe, self._lock = pipe, threading.Lock()

    def __call__(self, message: Message) -> None:
        line = encode(message)
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._pipe, line) :]
            except OSError:
                os._exit(0)


def _obey(watch: Watch, orders: BinaryIO, stop: threading.Event) -> None:
    while line := orders.readline(MAX_LINE):
        try:
            order = decode(line)
        except BadFrame as error:
            log.warning("an order that is none: %s", error)
            continue
        if isinstance(order, Order):
            watch.order(order)
    stop.set()


def _depend_on_parent() -> None:
    """Die with the door process, give it processor and memory first, and leave Ctrl-C to it."""
    die_with_parent()
    os.nice(_NICE)
    die_first(_OOM_SCORE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_with_traceback(args: threading.ExceptHookArgs) -> None:
    """A bug in one thread ends the process: half a watch is none, and the supervisor starts a whole one."""
    log.critical("a thread ended", exc_info=(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback))
    os._exit(1)


if __name__ == "__main__":
    main()
