"""The serial port against real ttys, a real TCP peer and pyserial's own RFC 2217 server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import serial
import serial.rfc2217
from pydantic import ValidationError

from drivers.serial_port import SerialOptions, SerialPort
from gateway.errors import DeviceLost
from gateway.text import Language, Text
from tests.real import needed, wait_until
from tests.standstill import awake
from tests.wire import Tty

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def device() -> Iterator[Tty]:
    with Tty() as device:
        yield device


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def received(port: SerialPort, seconds: float = 30.0) -> bytes:
    """What comes until a silence after it."""
    data = b""
    end = awake() + seconds
    while awake() < end:
        piece = port.receive()
        data += piece
        if data and not piece:
            break
    return data


def again(times: int, act: Callable[[], object]) -> None:
    for _ in range(times):
        act()


def test_silence_lasts_a_tenth_of_a_second(device: Tty) -> None:
    port = SerialPort(device.path, 9600)
    start, began = time.monotonic(), awake()
    assert port.receive() == b""
    assert time.monotonic() - start > 0.09
    assert awake() - began < 0.5
    port.close()


def test_a_silence_while_nobody_listened_is_told_before_the_bytes(device: Tty) -> None:
    port = SerialPort(device.path, 9600)
    device.send(b"one")
    wait_until(lambda: port.receive() == b"one")
    time.sleep(0.15)
    device.send(b"two")
    assert [port.receive(), port.receive()] == [b"", b"two"]
    port.close()


@pytest.mark.parametrize("path", ["/dev/serial/by-id/usb-none", "/dev/null", "/proc/self/cmdline"])
def test_what_is_no_port_is_a_lost_device_with_a_hint(path: str) -> None:
    with pytest.raises(DeviceLost) as caught:
        SerialPort(path, 9600)
    assert path in str(caught.value)
    assert str(caught.value.hint)
    assert isinstance(caught.value.__cause__, OSError)


def test_the_lock_keeps_a_second_program_out(device: Tty) -> None:
    first = SerialPort(device.path, 9600)
    with pytest.raises(DeviceLost, match="another program"):
        SerialPort(device.path, 9600)
    with pytest.raises(serial.SerialException):
        serial.Serial(device.path, exclusive=True)
    first.close()
    SerialPort(device.path, 9600).close()


def test_a_killed_program_leaves_no_lock(device: Tty) -> None:
    code = "import os, sys; from drivers.serial_port import SerialPort; SerialPort(sys.argv[1], 9600); os.abort()"
    assert subprocess.run([sys.executable, "-c", code, device.path], check=False).returncode == -signal.SIGABRT
    SerialPort(device.path, 9600).close()


def test_writing_to_a_peer_that_takes_nothing_ends(device: Tty) -> None:
    port = SerialPort(device.path, 9600)
    start = awake()
    with pytest.raises(DeviceLost):
        again(100, lambda: port.write(b"x" * 4096))
    assert awake() - start < 2.0
    port.close()


def test_everything_after_the_unplug_is_a_loss(device: Tty) -> None:
    port = SerialPort(device.path, 9600)
    device.unplug()
    for act in (port.receive, lambda: port.write(b"x"), port.discard):
        with pytest.raises(DeviceLost):
            act()
    port.close()


def test_a_question_after_the_unplug_says_why_in_words(device: Tty) -> None:
    port = SerialPort(device.path, 9600)
    device.unplug()
    with pytest.raises(DeviceLost, match=f"{device.path}: Input/output error"):
        port.discard()
    port.close()


def test_a_device_pulled_out_is_told_in_the_words_of_staff(device: Tty) -> None:
    """pyserial's guesses stood there, in English, and the number of the error in the middle of its sentence."""
    port = SerialPort(device.path, 9600)
    device.unplug()
    with pytest.raises(DeviceLost) as reading:
        port.receive()
    assert isinstance(reading.value.message, Text)
    assert reading.value.message.say(Language.ZH) == f"串口 {device.path}：设备已断开"
    with pytest.raises(DeviceLost, match=f"{device.path}: Input/output error"):
        port.write(b"x")
    port.close()


def test_everything_after_close_is_a_loss(device: Tty) -> None:
    port = SerialPort(device.path, 9600)
    port.close()
    for act in (port.receive, lambda: port.write(b"x"), port.discard):
        with pytest.raises(DeviceLost):
            act()


def test_a_port_closed_by_another_thread_is_a_loss(device: Tty) -> None:
    """pyserial answers that with a TypeError or a ValueError from select."""
    port = SerialPort(device.path, 9600)
    closing = threading.Timer(0.05, port.close)
    closing.start()
    with pytest.raises(DeviceLost):
        again(20, port.receive)
    closing.join()


def test_losses_leave_no_descriptor_open(device: Tty) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    held = SerialPort(device.path, 9600)
    for _ in range(5):
        with pytest.raises(DeviceLost):
            SerialPort(device.path, 9600)
    held.close()
    assert descriptors() == before


def test_bytes_over_tcp_and_the_peer_that_leaves(server: socket.socket) -> None:
    port = SerialPort(f"socket://127.0.0.1:{server.getsockname()[1]}", 9600)
    peer, _ = server.accept()
    peer.sendall(b"card" * 300)
    assert received(port) == b"card" * 300
    port.write(b"order")
    assert peer.recv(10) == b"order"
    peer.close()
    start = awake()
    with pytest.raises(DeviceLost):
        again(9, port.receive)
    assert awake() - start < 1.0
    port.close()


def test_a_peer_that_babbles_is_slowed_down(server: socket.socket) -> None:
    port = SerialPort(f"socket://127.0.0.1:{server.getsockname()[1]}", 9600)
    peer, _ = server.accept()
    peer.setblocking(False)
    taken, end = 0, time.monotonic() + 0.5
    while time.monotonic() < end:
        with suppress(BlockingIOError):
            peer.send(b"\x02" * 65536)
        taken += len(port.receive())
    assert 1024 <= taken <= 32 * 1024
    peer.close()
    port.close()


def test_a_tcp_peer_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
    with pytest.raises(DeviceLost, match=str(number)):
        SerialPort(f"socket://127.0.0.1:{number}", 9600)


def _serve_rfc2217(listener: socket.socket, stop: threading.Event) -> None:
    """pyserial's server side: one client, and a port whose wire comes back to it (a pty has no modem lines)."""
    line = serial.serial_for_url("loop://", timeout=0.05)
    client, _ = listener.accept()
    client.settimeout(0.02)

    class Out:
        def write(self, data: bytes) -> None:
            client.sendall(data)

    manager = serial.rfc2217.PortManager(line, Out())  # type: ignore[arg-type]  # its stubs ask for its client
    while not stop.is_set():
        try:
            data = client.recv(1024)
            if not data:
                break
            line.write(b"".join(manager.filter(data)))
        except TimeoutError:
            pass
        if line.in_waiting:
            client.sendall(b"".join(manager.escape(line.read(line.in_waiting))))
    client.close()
    line.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyserial's own, in its thread
def test_rfc2217(server: socket.socket) -> None:
    stop = threading.Event()
    serving = threading.Thread(target=_serve_rfc2217, args=(server, stop))
    serving.start()
    try:
        port = SerialPort(f"rfc2217://127.0.0.1:{server.getsockname()[1]}", 9600)
        port.write(b"0009334109\xff\r")
        assert received(port) == b"0009334109\xff\r"
        stop.set()
        serving.join(60)
        with pytest.raises(DeviceLost):
            received(port)
        port.close()
    finally:
        stop.set()
        serving.join(60)


CUT_OFF = """
import socket, subprocess, threading, time
from drivers.serial_port import SerialPort
from gateway.errors import DeviceLost
from tests.test_serial_port import _serve_rfc2217

def lost_within(port, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            port.receive()
        except DeviceLost:
            return True
    return False

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=_serve_rfc2217, args=(server, threading.Event()), daemon=True).start()
plain = socket.create_server(("127.0.0.1", 0))
addresses = [(kind, one.getsockname()[1]) for kind, one in (("rfc2217", server), ("socket", plain))]
ports = [SerialPort(f"{kind}://127.0.0.1:{number}", 9600) for kind, number in addresses]
subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
assert [lost_within(port, 60) for port in ports] == [True, True]
"""


def test_a_serial_server_that_loses_its_power_is_noticed() -> None:
    """It says no goodbye, and a reader never speaks: without a sign of life it would seem to be there for ever."""
    command = [needed("unshare", "util-linux"), "--map-root-user", "--net", sys.executable, "-c", CUT_OFF]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "port",
    ["", "tcp://10.0.0.1:23", "socket://10.0.0.1", "socket://:4001", "socket://h:port", "spy:///dev/ttyUSB0",
     "socket://10.0.0.1:4001?logging=debug"],
)  # fmt: skip
def test_ports_that_cannot_work_are_refused(port: str) -> None:
    with pytest.raises(ValidationError):
        SerialOptions(port=port)


@pytest.mark.parametrize("port", ["/dev/ttyUSB0", "socket://10.0.0.1:4001", "rfc2217://box:2217", "loop://"])
def test_ports_that_can(port: str) -> None:
    assert SerialOptions(port=port).port == port


def test_a_descriptor_number_above_1024_still_works(device: Tty) -> None:
    """select() stops at 1024 descriptors: a leak elsewhere must look like a lost device, not like a crash."""
    spare = [os.open("/dev/null", os.O_RDONLY) for _ in range(1030)]
    try:
        with pytest.raises(DeviceLost):
            SerialPort(device.path, 9600).receive()
    finally:
        for descriptor in spare:
            os.close(descriptor)
