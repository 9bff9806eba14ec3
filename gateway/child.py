"""A child process at the other end of two pipes: bounded lines out of it, writes into it that never block.

Rule: every wait has an end, every buffer a bound, and whatever happens the process and its group are gone afterwards.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway.text import Text
from gateway.wire import MAX_LINE

_CHUNK: Final = 1 << 16
_MOST_WAITING: Final = 4 << 20  # bytes for a child that does not read
_STOP_S: Final = 2.0  # from closing its input to killing it
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")

_ENDED = Text("识别进程退出（{code}），正在重启", "the vision process ended ({code}) and is restarted")
_UNSTARTABLE = Text("识别进程无法启动：{error}", "the vision process cannot be started: {error}")
_FLOOD = Text("识别进程输出异常，正在重启", "the vision process writes a line without end and is restarted")
_DEAF = Text("识别进程不再接收指令，正在重启", "the vision process takes no orders and is restarted")


class ChildGone(Exception):
    """The child's life is over, or has to be."""

    def __init__(self, why: Text) -> None:
        super().__init__(str(why))
        self.why = why


class Child:
    """A started process. Its standard error is ours. Raises `ChildGone` where it cannot be started."""

    def __init__(self, command: Sequence[str], first: bytes, environment: Mapping[str, str] | None = None) -> None:
        pipe = subprocess.PIPE
        env = {**os.environ, **(environment or {})}
        try:
            self._process = subprocess.Popen(
                list(command), stdin=pipe, stdout=pipe, bufsize=0, env=env, start_new_session=True
            )
        except OSError as error:
            raise ChildGone(_UNSTARTABLE.with_(error=error.strerror)) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._into, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._into.fileno(), False)
        os.set_blocking(self._out.fileno(), False)
        self._waiting = bytearray(first)
        self._half = bytearray()

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, line: bytes) -> None:
        """Queue a line for its input."""
        if len(self._waiting) + len(line) > _MOST_WAITING:
            raise ChildGone(_DEAF)
        self._waiting += line

    def exchange(self, timeout: float) -> list[bytes]:
        """Write and read what can be written and read now; waits at most `timeout` s. Returns whole lines."""
        writers = [self._into] if self._waiting else []
        readable, writable, _ = select.select([self._out], writers, [], timeout)
        if writable:
            self._write()
        return self._read() if readable else []

    def rss(self) -> int:
        """Its memory in bytes, as the kernel sees it."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def end_kindly(self) -> None:
        """Close its input, which asks it to end, and give it a moment."""
        self._into.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)

    def kill(self) -> None:
        """End it and whatever it started. It may have ended before."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._into.close()
        self._out.close()

    def _write(self) -> None:
        try:
            del self._waiting[: os.write(self._into.fileno(), self._waiting[:_CHUNK])]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._waiting.clear()  # its end is noticed on the other pipe

    def _read(self) -> list[bytes]:
        chunk = os.read(self._out.fileno(), _CHUNK)
        if not chunk:
            raise ChildGone(_ENDED.with_(code=self._how_it_ended()))
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._half) + lines[0]
            self._half.clear()
        self._half += rest
        if len(self._half) > MAX_LINE or any(len(line) > MAX_LINE for line in lines):
            raise ChildGone(_FLOOD)
        return [line + b"\n" for line in lines]

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            return "pipe closed"
        return signal.Signals(-code).name if code < 0 else str(code)
