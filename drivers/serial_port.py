"""The serial port of every driver: a device path, a pseudo-terminal, socket://, rfc2217:// or loop://.

Its rule: whatever pyserial and the kernel raise when a device goes away leaves here as `DeviceLost`, and no call blocks
for longer than a second. It is also the one that knows what silence is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import queue
import socket
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated
from urllib.parse import urlsplit

import serial
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from serial.urlhandler import protocol_socket

from gateway.errors import DeviceLost
from gateway.text import Text

SILENCE_S = 0.1  # bytes further apart than this never belong to one frame
_WRITE_TIMEOUT_S = 0.5
_CHUNK = 1024  # bytes taken from the port at once, at most
_FLOOD_PAUSE_S = 0.02  # after so many at once: a babbling device must not take the processor from the doors
_NETWORK = ("socket", "rfc2217")
_PSEUDO_TERMINALS = range(136, 144)  # device majors, Documentation/admin-guide/devices.txt

protocol_socket.POLL_TIMEOUT = 1  # seconds for the TCP connection; pyserial's 5 would outlast a stop


def _known_port(port: str) -> str:
    scheme, mark, _ = port.partition("://")
    if not mark:
        return port
    if scheme not in (*_NETWORK, "loop"):
        words = Text("应写作设备路径、{urls} 或 loop://", "write a device path, {urls} or loop://")
        raise ValueError(words.with_(urls="socket://HOST:PORT, rfc2217://HOST:PORT"))
    try:
        parts = urlsplit(port)
        whole = scheme not in _NETWORK or bool(parts.hostname and parts.port)
    except ValueError:  # a port that is no number
        whole = False
    if not whole:
        words = Text("应写作 {scheme}://主机:端口（1 至 65535）", "write {scheme}://HOST:PORT, a port of 1 to 65535")
        raise ValueError(words.with_(scheme=scheme))
    if "logging" in port.partition("?")[2]:
        raise ValueError(Text("logging=… 会把卡号写入日志", "logging=… would write card numbers into the log"))
    return port


Port = Annotated[str, Field(min_length=1), AfterValidator(_known_port)]
Baud = Annotated[int, Field(ge=300, le=4_000_000)]


def place(port: str) -> str:
    """What a port leads to: two names of one tty lead to the same place."""
    return port if "://" in port else os.path.realpath(port)


def other_baud(port: str, baud: int) -> DeviceLost:
    """What to raise to who would share a port that is open at `baud`, with another."""
    return DeviceLost(
        Text("串口 {port} 已按波特率 {baud} 打开", "{port} is open at {baud} baud").with_(port=port, baud=baud),
        hint=Text("同一串口的设备须使用相同的波特率", "devices on one port need the same baud"),
    )


class SerialOptions(BaseModel):
    """What every driver on a serial port takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: Port
    baud: Baud = 9600


class SerialPort:
    """An open port. Bytes that came before it was opened are dropped: a card shown then opens nothing now."""

    def __init__(self, port: str, baud: int, *, wait_s: float = SILENCE_S) -> None:
        """Open and lock; `receive` waits for so long. Raises `DeviceLost`."""
        self._name = port
        self._held = b""  # bytes that came after a silence which is yet to be told
        self._last_byte = time.monotonic()
        self._silent = True
        # rfc2217 refuses a write timeout; its socket has one of its own
        write_timeout = None if port.startswith("rfc2217:") else _WRITE_TIMEOUT_S
        with self._losses():
            self._port = serial.serial_for_url(
                port, baudrate=baud, timeout=wait_s, write_timeout=write_timeout, exclusive=True
            )
        try:
            with self._losses():
                self._claim()
                self._port.reset_input_buffer()
        except DeviceLost:
            self.close()
            raise

    def receive(self) -> bytes:
        """Wait at most 0.1 s for bytes, or as told. Empty: the wire was silent, here or before what follows."""
        data, self._held = self._held or self._take(), b""
        now = time.monotonic()
        gap, silent = now - self._last_byte, self._silent
        self._silent = not data
        if not data:
            return b""
        self._last_byte = now
        if gap > SILENCE_S and not silent:
            self._held, self._silent = data, True
            return b""
        return data

    def write(self, data: bytes) -> None:
        """Put all bytes on the wire. Raises `DeviceLost`, also where the peer does not take them."""
        with self._losses():
            self._port.write(data)

    def discard(self) -> None:
        """Drop what has been received and not yet taken."""
        self._held = b""
        with self._losses():
            self._port.reset_input_buffer()

    def close(self) -> None:
        with suppress(OSError, termios.error, TypeError):
            self._port.close()

    def _take(self) -> bytes:
        with self._losses():
            data = self._port.read(1)
            while data and len(data) < _CHUNK and (waiting := self._port.in_waiting):
                data += self._port.read(min(waiting, _CHUNK - len(data)))
        if len(data) == _CHUNK:
            time.sleep(_FLOOD_PAUSE_S)
        return data

    def _claim(self) -> None:
        """Keep others off a tty (flock binds only those who ask for it), and notice a dead serial server."""
        if self._name.startswith(("socket:", "rfc2217:")):
            line: socket.socket = vars(self._port)["_socket"]  # pyserial shows it of neither kind
            line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3)):
                line.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        elif "://" not in self._name and os.major(os.fstat(self._port.fileno()).st_rdev) not in _PSEUDO_TERMINALS:
            # Not on a pseudo-terminal: there the mark outlives us and would lock out our own restart.
            fcntl.ioctl(self._port.fileno(), termios.TIOCEXCL)

    @contextmanager
    def _losses(self) -> Iterator[None]:
        """TypeError and ValueError are what pyserial raises when its descriptor is gone or an address is odd."""
        try:
            yield
        except (OSError, termios.error, TypeError, ValueError, NotImplementedError, queue.Full) as error:
            message = Text("串口 {port}：{reason}", "serial port {port}: {reason}").with_(
                port=self._name, reason=_reason(error)
            )
            raise DeviceLost(message, hint=_hint(error)) from error


def _reason(error: Exception) -> Text | str:
    """Short: pyserial repeats the port and the number of the error, or guesses at what it might be."""
    if str(error).startswith("device reports readiness"):  # a read at the end of the tty
        return Text("设备已断开", "the device has gone")
    if str(error).startswith("write failed") and isinstance(error.__context__, OSError):
        error = error.__context__
    number = error.args[0] if isinstance(error, termios.error) else getattr(error, "errno", None)
    return os.strerror(number) if number else str(error) or type(error).__name__


def _hint(error: Exception) -> Text:
    match getattr(error, "errno", None):
        case errno.EACCES | errno.EPERM:
            return Text("请把运行用户加入 dialout 组", "add the user of the gateway to the group dialout")
        case errno.EAGAIN | errno.EBUSY:
            return Text("另一个程序正占用该串口（用 fuser 查看）", "another program holds it; fuser names it")
        case errno.ENOENT:
            return Text(
                "设备是否插好？名称见 /dev/serial/by-id/", "is it plugged in? see /dev/serial/by-id/ for the names"
            )
        case _:
            return Text("检查电源、接线和端口名称", "check its power, its cable and the name of the port")
