"""Who shares which line: each reader and each output has a share, and the first one opens the port for all."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from importlib.util import find_spec

from drivers.osdp.line import LIBRARY, Line
from drivers.osdp.peripheral import Bits, Order, Peripheral
from drivers.serial_port import other_baud, place
from gateway.errors import BadFrame, DeviceLost
from gateway.extras import install
from gateway.text import Text

_SESSION_S = 1.4  # it takes 0.1 to 1.5 s to come up; the next try goes on where this one left off
_FETCH_S = 0.25
_CONFIRM_S = 0.45  # a command waits for its turn on the line, and the door (`gateway.doorkeeper.ANSWER_S`) for us
_24_BITS, _32_BITS = 0xFFFFFF, 0xFFFFFFFF  # libosdp's binding tells large numbers as negative ones
INSTALL = Text("请执行：{command}", "run: {command}").with_(command=install("osdp"))
_SECURE = Text("安全通道", "secure channel")
_CLEAR = Text("明文", "in clear")
_listing = threading.Lock()  # held for a moment only
_lines: dict[str, Line] = {}  # by port, for good: libosdp never gives all of a panel back, so each line keeps its own


class Share:
    """One device's share of a line: the peripheral at an address."""

    def __init__(self, port: str, baud: int, address: int, key: bytes | None) -> None:
        """Join the line and wait for a session. Raises `DeviceLost`."""
        if not is_installed():
            raise DeviceLost(
                Text("未安装 libosdp", "the package libosdp is not installed"),
                hint=INSTALL,
            )
        self._listens = False
        self._line: Line | None = _joined(port, baud)
        self._age = self._line.age
        try:
            self.peripheral: Peripheral = self._line.seat(address, key)
            self._line.wait(self._is_well, _SESSION_S, self._age)
            if not self._is_well():
                raise self.peripheral.loss(time.monotonic())
        except DeviceLost:
            self.close()
            raise

    def listen(self) -> None:
        """From now on its cards are ours. Raises `DeviceLost` where they are another's."""
        if self.peripheral.inbox is not None:
            words = Text("地址 {address} 已由另一读卡器使用", "address {address} belongs to another reader")
            raise DeviceLost(words.with_(address=self.peripheral.address))
        self.peripheral.inbox, self._listens = deque(), True

    def fetch(self) -> list[Bits | BadFrame]:
        """Wait a moment for what the reader sends. Raises `DeviceLost`."""
        inbox = self.peripheral.inbox
        if self._line is None or inbox is None:
            raise DeviceLost(Text("读卡器未打开", "the reader is not open"))
        self._line.wait(lambda: bool(inbox), _FETCH_S, self._age)
        results = self.peripheral.taken()
        if not results and not self._is_well():
            raise self.peripheral.loss(time.monotonic())
        return results

    def order(self, command: Mapping[str, int], *, may_be_late: bool) -> None:
        """Send a command; return when the peripheral has confirmed it. Raises `DeviceLost`, and then, unless it may be
        late, the command is never sent again."""
        if self._line is None or self._age != self._line.age or not self._is_well():
            raise self.peripheral.loss(time.monotonic())
        order = Order(command)
        self._line.send(self.peripheral, order)
        try:
            self._line.wait(lambda: order.done is not None, _CONFIRM_S, self._age)
        finally:
            if order.done is None and not may_be_late:
                self._line.give_up(self.peripheral, order)
        if not order.done:
            raise DeviceLost(
                Text("地址 {address} 没有确认命令", "address {address} did not confirm the order").with_(
                    address=self.peripheral.address
                ),
                hint=Text("检查读卡器的供电和接线", "check the reader's power and its wires"),
            )

    def describe(self) -> Text:
        """What the peripheral says it is."""
        known = self.peripheral.identity
        words = Text(
            "已应答：厂商 {vendor:06X}，型号 {model}，序列号 {serial:08X}，固件 {firmware}；{channel}",
            "answers: vendor {vendor:06X}, model {model}, serial {serial:08X}, firmware {firmware}; {channel}",
        )
        firmware = known.get("firmware_version", 0) & _24_BITS
        return words.with_(
            vendor=known.get("vendor_code", 0) & _24_BITS,
            model=known.get("model", 0),
            serial=known.get("serial_number", 0) & _32_BITS,
            firmware=".".join(str(byte) for byte in firmware.to_bytes(3)),
            channel=_SECURE if self.peripheral.key is not None else _CLEAR,
        )

    def close(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        if self._listens:
            self.peripheral.inbox = None
        with _listing:
            line.users -= 1
            if line.users == 0:
                line.close()

    def _is_well(self) -> bool:
        return self.peripheral.is_well(time.monotonic())


def is_installed() -> bool:
    """Whether libosdp is there; `INSTALL` says how to get it."""
    return find_spec(LIBRARY) is not None


def _joined(port: str, baud: int) -> Line:
    key = place(port)
    with _listing:
        line = _lines.get(key) or Line(key, baud)  # a link may lead elsewhere the next time
        if line.users and line.baud != baud:
            raise other_baud(port, line.baud)
        if not port.startswith("loop:"):  # each loop:// is a wire of its own
            _lines[key] = line
        line.baud = baud
        line.users += 1
    return line
