"""A child process at the other end of two pipes: bounded lines out of it, writes into it that never block.

Rule: every wait has an end, every buffer a bound, and whatever happens the process and its group are gone afterwards.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway.lines import MAX_LINE
from gateway.text import Text

_CHUNK: Final = 1 << 16
_MOST_WAITING: Final = 4 << 20  # bytes for a child that does not read
_STOP_S: Final = 2.0  # from closing its input to killing it
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG: Final = 1

_VISION = Text("识别进程", "the vision process")
_ENDED = Text("{who}退出（{code}），正在重启", "{who} ended ({code}) and is restarted")
_UNSTARTABLE = Text("{who}无法启动：{error}", "{who} cannot be started: {error}")
_FLOOD = Text("{who}输出异常，正在重启", "{who} writes a line without end and is restarted")
_DEAF = Text("{who}不再接收指令，正在重启", "{who} takes no orders and is restarted")


class ChildGone(Exception):
    """The child's life is over, or has to be."""

    def __init__(self, why: Text) -> None:
        super().__init__(str(why))
        self.why = why


class Ended(ChildGone):
    """It closed its end, so it has ended or is about to."""


class Pipes:
    """Our ends of the two pipes, owned from here on: `into` to write to the child, `out` to read from it."""

    def __init__(self, into: int, out: int, who: Text) -> None:
        self._into, self._out, self._who = into, out, who
        self._open = True  # towards the child
        os.set_blocking(into, False)
        os.set_blocking(out, False)
        self._waiting = bytearray()
        self._half = bytearray()

    def tell(self, line: bytes) -> None:
        """Queue a line for its input."""
        if len(self._waiting) + len(line) > _MOST_WAITING:
            raise ChildGone(_DEAF.with_(who=self._who))
        self._waiting += line

    def exchange(self, timeout: float) -> list[bytes]:
        """Write and read what can be written and read now; waits at most `timeout` s. Returns whole lines.

        Raises `Ended` where the child closed its end, `ChildGone` where it writes what is no line.
        """
        writers = [self._into] if self._waiting and self._open else []
        readable, writable, _ = select.select([self._out], writers, [], timeout)
        if writable:
            self._write()
        return self._read() if readable else []

    def ended(self, code: str) -> Ended:
        """What to raise for a child that ended so."""
        return Ended(_ENDED.with_(who=self._who, code=code))

    def close_input(self) -> None:
        """Which asks the child to end."""
        if self._open:
            self._open = False
            os.close(self._into)

    def close(self) -> None:
        self.close_input()
        os.close(self._out)

    def _write(self) -> None:
        try:
            del self._waiting[: os.write(self._into, self._waiting[:_CHUNK])]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._waiting.clear()  # its end is noticed on the other pipe

    def _read(self) -> list[bytes]:
        chunk = os.read(self._out, _CHUNK)
        if not chunk:
            raise self.ended("pipe closed")
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._half) + lines[0]
            self._half.clear()
        self._half += rest
        if len(self._half) > MAX_LINE or any(len(line) > MAX_LINE for line in lines):
            raise ChildGone(_FLOOD.with_(who=self._who))
        return [line + b"\n" for line in lines]


class Child:
    """A started process. Its standard error is ours. Raises `ChildGone` where it cannot be started."""

    def __init__(self, command: Sequence[str], first: bytes, environment: Mapping[str, str] | None = None) -> None:
        env = {**os.environ, **(environment or {})}
        stdin, into = os.pipe()
        out, stdout = os.pipe()
        self._pipes = Pipes(into, out, _VISION)
        try:
            self._process = subprocess.Popen(
                list(command), stdin=stdin, stdout=stdout, bufsize=0, env=env, start_new_session=True
            )
        except OSError as error:
            self._pipes.close()
            raise ChildGone(_UNSTARTABLE.with_(who=_VISION, error=error.strerror)) from error
        finally:
            os.close(stdin)
            os.close(stdout)
        self._pipes.tell(first)

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, line: bytes) -> None:
        """See `Pipes.tell`."""
        self._pipes.tell(line)

    def exchange(self, timeout: float) -> list[bytes]:
        """See `Pipes.exchange`. Names how the process ended where it did."""
        try:
            return self._pipes.exchange(timeout)
        except Ended as gone:
            with contextlib.suppress(subprocess.TimeoutExpired):
                raise self._pipes.ended(how_it_ended(self._process.wait(0.5))) from gone
            raise

    def rss(self) -> int:
        """Its memory in bytes, as the kernel sees it."""
        return rss_of(self.pid)

    def end_kindly(self) -> None:
        """Close its input, which asks it to end, and give it a moment."""
        self._pipes.close_input()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)

    def kill(self) -> None:
        """End it and whatever it started. It may have ended before."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._pipes.close()


def how_it_ended(code: int) -> str:
    """The exit code of a process, or the name of the signal that ended it."""
    return signal.Signals(-code).name if code < 0 else str(code)


def rss_of(pid: int | str) -> int:
    """Resident bytes of a process; 0 where there is none."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def die_with_parent() -> None:
    """Be killed when the thread that started this process ends (prctl(2))."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def die_first(score: int) -> None:
    """Where the kernel must end somebody for want of memory, this process; by its score, of 1000 at most (proc(5))."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(f"{score}", encoding="ascii")


def own_stdout() -> int:
    """Take standard output for the lines alone: what a library prints goes to standard error."""
    pipe = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return pipe
