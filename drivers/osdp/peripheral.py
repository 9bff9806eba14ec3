"""What is known of one address on an OSDP line: whether it answers, whether its channel is secure, what it reports.

The rule: in a secure session only replies whose authenticity libosdp checks may carry anything. libosdp 3.2.9 verifies
no MAC in frames of the handshake's types (SCS_12, SCS_14), whatever they carry, and keeps a card that was told in
clear until the session is up: both are kept from it here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.osdp.frames import Frame
from gateway.errors import BadFrame, DeviceLost
from gateway.text import Text

POLL, CAP, CHLNG, SCRYPT = 0x60, 0x62, 0x76, 0x77
ACK, NAK, PDID, PDCAP, FMT, CCRYPT, RMAC_I, BUSY = 0x40, 0x41, 0x45, 0x46, 0x51, 0x76, 0x78, 0x79
_IN_CLEAR = {NAK, PDID, PDCAP, BUSY}  # replies that come before there is a channel, and carry no card
_HANDSHAKE = {0x12: (CCRYPT, CHLNG), 0x14: (RMAC_I, SCRYPT)}  # block type: its reply, to which command
_KEYED = (CHLNG, SCRYPT)  # commands at which a wrong key shows
_AUTHENTIC = {0x16, 0x18}  # block types with a MAC
PATIENCE_S = 2.0  # without an answer for so long it is lost; what it held back for longer is stale
_RESTART_S = 2.0  # from a session that failed to the next try; libosdp would wait for 300 s
_DRAIN_S = 5.0  # one that has something to tell at each poll for so long tells of now
_MOST_WAITING = 64  # cards and faults not yet fetched


@dataclass(frozen=True, slots=True)
class Bits:
    """A card as a reader sends it: `size` bits from the left of `data`."""

    size: int
    data: bytes = field(repr=False)


@dataclass(slots=True, eq=False)
class Order:
    """One command on its way. `done` is None until the peripheral has answered, or the order has failed."""

    command: Mapping[str, int]
    done: bool | None = None


@dataclass(slots=True, eq=False)
class Peripheral:
    """One address. Written by whoever drives the line; times are monotonic seconds."""

    address: int
    key: bytes | None = field(repr=False)  # None: in clear
    inbox: deque[Bits | BadFrame] | None = None  # of the reader that is open; None: cards are nobody's
    overflowed: bool = False  # more came than the inbox holds
    orders: deque[Order] = field(default_factory=deque)
    up: bool = False  # libosdp's word
    since: float = 0.0  # when it last came up
    secure: bool = False
    settled: bool = False  # what it held back has been told: what comes now is new
    resumed: float = 0.0  # when it was heard again after a silence
    resumed_with: int = 0  # the sequence of that reply
    heard: float = float("-inf")  # its last reply
    well: float = float("-inf")  # its last reply in a session
    asked: int = 0  # the last command it was sent
    answer: int = 0  # what it last replied
    failed_at: tuple[int, int] = (0, 0)  # the last command of the session that failed, and the reply
    restart_at: float | None = None
    identity: Mapping[str, int] = field(default_factory=dict)
    outputs: int = 0
    times_outputs: bool = False  # it switches an output off by itself when its time is up
    tampered: bool = False
    power_failing: bool = False

    @property
    def ready(self) -> bool:
        return self.up and (self.secure or self.key is None)

    def is_well(self, now: float) -> bool:
        """Whether it is in a session and answers."""
        return self.ready and now - self.well <= PATIENCE_S

    def hear(self, frame: Frame, now: float) -> bool:
        """Take note of a reply; False where it must not go further."""
        if self.key is not None and not self._is_trustworthy(frame):
            self.put(BadFrame("a reply without the security it must have", reason="insecure"))
            return False
        if now - self.heard > PATIENCE_S:
            self.settled, self.resumed, self.resumed_with = False, now, frame.sequence
        self.heard, self.answer = now, frame.code
        # NAK: a reader that was switched on anew knows nothing of our session. BUSY: anybody can say so, for ever.
        if self.ready and frame.code not in (NAK, BUSY):
            self.well = now
            # The reply that breaks a silence, or its repetition, may be from before: perhaps we were frozen.
            empty = self.asked == POLL and frame.code == ACK and frame.sequence != self.resumed_with
            self.settled = self.settled or empty or now - max(self.since, self.resumed) > _DRAIN_S
        if frame.code == FMT:
            self.put(BadFrame("a card as text (osdp_FMT), which libosdp leaves out", reason="type"))
        return True

    def _is_trustworthy(self, frame: Frame) -> bool:
        if frame.security in _HANDSHAKE and frame.code != NAK:
            return _HANDSHAKE[frame.security] == (frame.code, self.asked)
        return frame.security in _AUTHENTIC or frame.code in _IN_CLEAR

    def tell(self, bits: Bits) -> None:
        """A card came."""
        if not self.ready:
            self.put(BadFrame("a card outside a session", reason="insecure"))
        elif not self.settled:
            self.put(BadFrame("a card from before the session", reason="stale"))
        else:
            self.put(bits)

    def put(self, result: Bits | BadFrame) -> None:
        inbox = self.inbox  # its reader may close meanwhile
        if inbox is None:
            return
        if len(inbox) < _MOST_WAITING:
            inbox.append(result)
        else:
            self.overflowed = True

    def taken(self) -> list[Bits | BadFrame]:
        """What came since it was last asked, for its reader."""
        inbox = self.inbox
        if inbox is None:
            return []
        results = [inbox.popleft() for _ in range(len(inbox))]
        if self.overflowed:
            self.overflowed = False
            results.append(BadFrame("more than were fetched in time", reason="overflow"))
        return results

    def lose_port(self) -> None:
        """Nothing can be heard; libosdp keeps its session, which may be good again with the next port."""
        self.heard = self.well = self.since = float("-inf")

    def begin_anew(self) -> None:
        """There is no session, and no order survives it."""
        self.up = self.secure = self.settled = False
        self.restart_at = None
        for order in self.orders:
            order.done = False
        self.orders.clear()

    def begin_session(self, now: float, identity: Mapping[str, int], outputs: int, times_outputs: bool) -> None:
        """libosdp has a session with it."""
        self.up, self.since = True, now
        self.failed_at = (0, 0)
        if self.identity != identity:  # another reader stands there: what the one before said does not count for it
            self.tampered = self.power_failing = False
        self.identity = dict(identity)
        self.outputs, self.times_outputs = outputs, times_outputs

    def end_session(self, now: float) -> None:
        """libosdp gave the session up."""
        lasted = self.up and now - self.since > _RESTART_S
        self.failed_at = (self.asked, self.answer)
        self.up = self.secure = self.settled = False
        if self.restart_at is None:
            self.restart_at = now if lasted else now + _RESTART_S

    def report(self, status: bytes) -> None:
        """What it says of itself (LSTATR): tamper, power."""
        self.tampered, self.power_failing = (bool(byte) for byte in (*status, 0, 0)[:2])

    def complaint(self) -> Text | None:
        """What staff must see of a reader that works; None where there is nothing."""
        if self.tampered:
            return Text("读卡器报告被拆动（防拆报警）", "the reader reports that it is being tampered with")
        if self.power_failing:
            return Text("读卡器报告供电故障", "the reader reports that its power fails")
        return None

    def loss(self, now: float) -> DeviceLost:
        """Why there is no session, for people."""
        if now - self.heard > PATIENCE_S:
            return DeviceLost(
                Text("地址 {address} 没有应答", "nothing answers at address {address}").with_(address=self.address),
                hint=Text(
                    "检查供电、A/B 接线、地址和波特率", "check its power, the wires A and B, the address and the baud"
                ),
            )
        command, answer = self.failed_at
        if command == CAP or (command in _KEYED and answer == NAK):
            return DeviceLost(
                Text(
                    "地址 {address} 的读卡器拒绝安全通道：不支持，或尚未写入密钥",
                    "the reader at address {address} refuses the secure channel: it has none, or no key yet",
                ).with_(address=self.address),
                hint=Text(
                    "启用其安全通道并写入 scbk_file 中的密钥；明文须写 secure = false",
                    "switch its secure channel on and give it the key of scbk_file; secure = false means in clear",
                ),
            )
        if command in _KEYED:
            return DeviceLost(
                Text("地址 {address} 的读卡器用的是另一密钥", "the reader at address {address} has another key").with_(
                    address=self.address
                ),
                hint=Text("核对 scbk_file，或重新写入读卡器的密钥", "compare scbk_file, or set the reader's key again"),
            )
        return DeviceLost(
            Text("地址 {address} 的会话尚未建立", "the session with address {address} is not up yet").with_(
                address=self.address
            ),
            hint=Text("线路繁忙或受干扰时会自动重试", "it is tried again; see to the wires where that goes on"),
        )
