"""An OSDP peripheral in a process of its own: libosdp's other end, on one socket.

    python -m tests.osdp.peripheral SOCKET ADDRESS KEY|none [OUTPUT_LEVEL]

One JSON object a line. In: an event to tell, as libosdp takes it, with hex for bytes. Out: each command it was given.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time
from binascii import crc_hqx
from typing import Any

import osdp_sys

from drivers.osdp.frames import Frame, FrameFinder, parse

_OUTPUTS = 2
_PDCAP = 0x46


class Channel:
    """The wire, frame by frame: the peer does not join pieces either."""

    id = 1

    def __init__(self, line: socket.socket, secure: bool) -> None:
        self._line = line
        self._secure = secure
        self._finder = FrameFinder()
        self._frame = b""

    def receive(self) -> None:
        try:
            data = self._line.recv(1024)
        except BlockingIOError:
            return
        if not data:
            sys.exit(0)
        for found in self._finder.feed(data):
            if isinstance(found, Frame) and not found.is_reply:
                self._frame = found.raw

    def read(self, size: int) -> bytes:
        data, self._frame = self._frame[:size], self._frame[size:]
        return data

    def write(self, data: bytes) -> int:
        try:
            self._line.sendall(data if self._secure else without_secure_channel(data))
        except OSError:
            sys.exit(0)
        return len(data)

    def flush(self) -> None:
        self._frame = b""


def without_secure_channel(reply: bytes) -> bytes:
    """libosdp's peripheral always says that it has one."""
    at = reply.find(b"\x53")
    frame = parse(reply[at:])
    if frame.code != _PDCAP:
        return reply
    own = [frame.data[at : at + 3] for at in range(0, len(frame.data), 3)]
    data = b"".join(bytes((one[0], 0, 0)) if one[0] == osdp_sys.CAP_COMMUNICATION_SECURITY else one for one in own)
    raw = frame.raw.replace(frame.data, data)[:-2]
    return raw + crc_hqx(raw, 0x1D0F).to_bytes(2, "little")


def obey(command: dict[str, Any]) -> tuple[int, None]:
    plain = {key: value for key, value in command.items() if isinstance(value, int)}
    print(json.dumps({"at": time.monotonic(), **plain}), flush=True)
    return 0, None


def capabilities(secure: bool, level: int) -> list[dict[str, int]]:
    found = [(osdp_sys.CAP_CARD_DATA_FORMAT, 1, 0), (osdp_sys.CAP_CHECK_CHARACTER_SUPPORT, 1, 0)]
    if level:
        found.append((osdp_sys.CAP_OUTPUT_CONTROL, level, _OUTPUTS))
    if secure:
        found.append((osdp_sys.CAP_COMMUNICATION_SECURITY, 1, 1))
    return [{"function_code": code, "compliance_level": one, "num_items": two} for code, one, two in found]


def main(descriptor: int, address: int, key: str, level: int) -> None:
    line = socket.socket(fileno=descriptor)
    line.setblocking(False)
    channel = Channel(line, key != "none")
    osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
    identity = {
        "version": 3,
        "model": 7,
        "vendor_code": 0xCAFEBA,
        "serial_number": 0xDEADBEAF,
        "firmware_version": 0x010203,
    }
    about = {"name": "PD", "address": address, "flags": 0, "channel": channel, **identity}
    about["scbk"] = None if key == "none" else bytes.fromhex(key)
    device = osdp_sys.PeripheralDevice(about, capabilities=capabilities(key != "none", level))
    device.set_command_callback(obey)
    print(json.dumps({"ready": True}), flush=True)
    waiting = b""
    while True:
        readable, _, _ = select.select([line, sys.stdin], [], [], 0.002)
        if line in readable:
            channel.receive()
        if sys.stdin in readable:
            data = os.read(0, 4096)
            if not data:
                return
            *lines, waiting = (waiting + data).split(b"\n")
            for one in lines:
                event = json.loads(one)
                for text in ("data", "report"):
                    if text in event:
                        event[text] = bytes.fromhex(event[text])
                device.submit_event(event)
        device.refresh()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 4)
