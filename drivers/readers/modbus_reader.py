"""Card readers on Modbus RTU: the number lies in registers that each maker numbers otherwise, 9600 baud 8N1, polled.

    01       03        00 06     00 04   A4 08                    first_register = 6, count = 4
    01       03        08        00 00 00 00 B0 86 4D 25  CRC     say: format = "hex", size = 4, the card hex:B0864D25
    address  function  register  count   CRC

The rule: zeros, or ones all over, are no card. A number that is there at the first look was shown to nobody who still
waits: it opens nothing. How a board tells that a card came differs as well:

    (nothing)         the number is there while the card is, and zeros after it
    latched = true    the number stays: only another one, or one after zeros, is a new card
    counter = N       register N changes with each card
    flag = N          register N (flag_is = "coil": coil N) is not zero while a new card waits; we write zero there

Sources: for Modbus drivers/modbus_rtu.py; for the question above nick411077/arduino, Modbus_RFID.ino; for a flag the
manual of Inveo's RFID IND-M1 (page 16: coil 1016, or register 1000). No maker's registers are built in.
"""

from __future__ import annotations

import math
import time
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from drivers.dialogue import Reply, ask
from drivers.framed_reader import Results, attempt
from drivers.modbus_rtu import (
    READ_COILS,
    READ_HOLDING,
    WRITE_COIL,
    WRITE_REGISTER,
    Confirmation,
    Values,
    pause_s,
    reply_size,
    request,
    wire_s,
)
from drivers.polled_reader import PolledOptions, PolledReader, proving
from drivers.serial_port import SerialPort
from drivers.shared_port import SharedPort
from gateway.credentials import Credential, Format
from gateway.errors import BadFrame
from gateway.text import Text

SHARES_PORT = "modbus-rtu"  # one line: several boards, and relays
TOLD_APART_BY = ("address", "function", "first_register")
_SIZES = {"em4100": 5, "w26": 3, "w34": 4, "w37": 5, "dec10": 4}  # bytes
_ASKED = 8  # bytes of a question, of an order and of its confirmation
_TURNAROUND_S = 0.15  # how long a board may think
_LOOK_S = 0.3  # for all questions of one look
_STALE_S = 2.0  # who showed a card before a gap as long as that may have walked on
_HINT = Text(
    "检查供电、A/B 接线、address、baud 和 first_register（说明书中的 40007 写作 6）",
    "check its power, the wires A and B, address, baud, and first_register (what a manual calls 40007 is 6)",
)
T = TypeVar("T")
Register = Annotated[int, Field(ge=0, le=0xFFFF)]


class Options(PolledOptions):
    """`byte_order`: how bytes A B C D lie in two registers. `skip` and `size` cut the number out of all of them."""

    poll_s: Annotated[float, Field(ge=0.05, le=0.5)] = 0.2
    address: Annotated[int, Field(ge=1, le=247)] = 1
    function: Literal[3, 4] = 3  # holding or input registers
    first_register: Register
    count: Annotated[int, Field(ge=1, le=16)]
    format: Literal["hex", "em4100", "w26", "w34", "w37", "dec10"]
    byte_order: Literal["ABCD", "BADC", "CDAB", "DCBA"] = "ABCD"
    skip: Annotated[int, Field(ge=0, le=31)] | None = None  # without it the number stands at the end, zeros before it
    size: Annotated[int, Field(ge=1, le=32)] | None = None
    latched: bool = False
    counter: Register | None = None
    flag: Register | None = None
    flag_is: Literal["register", "coil"] = "register"

    @property
    def number_size(self) -> int:
        """Bytes of the number."""
        return self.size or _SIZES.get(self.format, 2 * self.count - (self.skip or 0))

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.latched + (self.counter is not None) + (self.flag is not None) > 1:
            words = Text("latched、counter 与 flag 只能用一个", "give only one of latched, counter and flag")
            raise ValueError(words)
        if self.size not in (None, _SIZES.get(self.format, self.size)):
            words = Text("{format} 的号码为 {size} 字节", "a number of {format} has {size} bytes")
            raise ValueError(words.with_(format=self.format, size=_SIZES[self.format]))
        if not 0 < self.number_size <= 2 * self.count - (self.skip or 0):
            words = Text(
                "{count} 个寄存器只有 {has} 字节，放不下该号码", "{count} registers have {has} bytes, too few for that"
            )
            raise ValueError(words.with_(count=self.count, has=2 * self.count))
        if wire_s(self._traffic, self.baud) > _LOOK_S - _TURNAROUND_S:
            words = Text("baud {baud} 太慢，读不完这些寄存器", "at {baud} baud these registers take too long")
            raise ValueError(words.with_(baud=self.baud))
        return self

    @property
    def _traffic(self) -> int:
        """Bytes of one look, at most."""
        signals = 0 if self.counter is None and self.flag is None else 3 * _ASKED + 7
        return _ASKED + 5 + 2 * self.count + signals


def parse(registers: bytes, options: Options) -> Credential | None:
    """The bytes of the registers as they came → the card, None where none is. Raises `BadFrame`."""
    if len(registers) != 2 * options.count:
        raise BadFrame(f"{len(registers)} bytes of {options.count} registers", reason="length")
    pairs = [registers[at : at + 2] for at in range(0, len(registers), 2)]
    if options.byte_order in ("BADC", "DCBA"):
        pairs = [pair[::-1] for pair in pairs]
    whole = b"".join(reversed(pairs) if options.byte_order in ("CDAB", "DCBA") else pairs)
    size = options.number_size
    skip = len(whole) - size if options.skip is None else options.skip
    number = whole[skip : skip + size]
    if _is_none(whole) or (_is_none(number) and (options.skip is not None or not any(whole[:skip]))):
        return None
    if (options.skip is None and any(whole[:skip])) or (options.format == "w37" and number[0] >> 3):
        raise BadFrame(Text("号码比 format 的长", "the number is longer than its format"), reason="range")
    return Credential(Format(options.format), number)


def _is_none(number: bytes) -> bool:
    return set(number) <= {0x00} or set(number) <= {0xFF}


class Board:
    """One reader on its line."""

    def __init__(self, port: SharedPort, options: Options) -> None:
        self._port = port
        self._options = options
        self._number = request(options.address, options.function, options.first_register, options.count)
        self._ignored: Credential | None = None  # stood there from the beginning, or was told and is latched
        self._counted = b""
        self._to_lower = False  # a flag whose card was told
        self._looked = -math.inf  # monotonic: when the last look began that was answered

    def start(self) -> None:
        """The first look, in which nothing counts. Raises `BadFrame` and `DeviceLost`."""
        with self._port.turn() as port:
            self._look(port)

    def look(self) -> Results | None:
        """Whether a card came; None where others have the line. Raises `BadFrame` and `DeviceLost`."""
        with self._port.turn_to_ask() as port:
            return None if port is None else self._look(port)

    def _look(self, port: SerialPort) -> Results:
        began = time.monotonic()
        stale = began - self._looked >= _STALE_S
        questions = _Questions(port, self._options.baud)
        if self._options.flag is not None:
            results = self._flagged(questions, self._options.flag)
        elif self._options.counter is not None:
            results = self._counted_on(questions, self._options.counter)
        else:
            results = self._standing(questions, stale)
        questions.pause()
        self._looked = began  # a card may have come since then, also if we were frozen within
        return [] if stale else results

    def _read(self, questions: _Questions) -> Results:
        result = attempt(lambda registers: parse(registers, self._options), questions.values(self._number))
        return [] if result is None else [result]

    def _standing(self, questions: _Questions, stale: bool) -> Results:
        results = self._read(questions)
        card = next((result for result in results if isinstance(result, Credential)), None)
        known = card == self._ignored
        if stale or self._options.latched:
            self._ignored = card
        elif not known:
            self._ignored = None
        return [result for result in results if isinstance(result, BadFrame) or not known]

    def _counted_on(self, questions: _Questions, counter: int) -> Results:
        count = questions.values(request(self._options.address, self._options.function, counter, 1))
        results = [] if count == self._counted else self._read(questions)
        self._counted = count
        return results

    def _flagged(self, questions: _Questions, flag: int) -> Results:
        """Its card is told once, also where the order to lower the flag has to be given again."""
        address, coil = self._options.address, self._options.flag_is == "coil"
        lower = request(address, WRITE_COIL if coil else WRITE_REGISTER, flag, 0)
        results: Results = []
        if not self._to_lower:
            if not any(questions.values(request(address, READ_COILS if coil else READ_HOLDING, flag, 1))):
                return []
            results = self._read(questions)
            self._to_lower = True
        try:
            questions.order(lower)
        except BadFrame as error:
            if not results:
                raise
            return [*results, error]
        self._to_lower = False
        return results


class _Questions:
    """Those of one look: together they may take `_LOOK_S`."""

    def __init__(self, port: SerialPort, baud: int) -> None:
        self._port = port
        self._baud = baud
        self._end = time.monotonic() + _LOOK_S

    def values(self, question: bytes) -> bytes:
        return self._ask(question, Values(question), reply_size(question))

    def order(self, order: bytes) -> None:
        self._ask(order, Confirmation(order), len(order))

    def pause(self) -> None:
        """So that boards tell this frame from the next."""
        time.sleep(pause_s(self._baud))

    def _ask(self, question: bytes, reply: Reply[T], size: int) -> T:
        self.pause()
        limit = _TURNAROUND_S + wire_s(len(question) + size, self._baud)
        return ask(self._port, question, reply, min(limit, self._end - time.monotonic()))


def connect(options: Options) -> PolledReader:
    """Join the line and ask for the first time. Raises `DeviceLost`."""
    port = SharedPort(options.port, options.baud)
    board = Board(port, options)
    with proving(port.close, _HINT):
        board.start()
    return PolledReader(board.look, port.close, options.poll_s, _HINT)
