"""OSDP readers on RS-485 (IEC 60839-11-5), polled by us, with a secure channel; 9600 baud 8N1 and up, half duplex.

    53 FF 10 00 05  50    FF      01      1A 00  CD 22 C7 16  00 C9
    head            RAW   reader  format  bits   the card     CRC        (in clear; in a secure channel it is encrypted)

The rule: no key, no card. The channel must be up with the key in `scbk_file`; a reader that offers none, or has another
key, stays lost and says why. What a reader held back while there was no session is dropped as `stale`: whoever stood
there may have gone. Several readers share a port, each with an address of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivers.framed_reader import Results
from drivers.osdp.keys import read_key
from drivers.osdp.peripheral import Bits
from drivers.osdp.share import INSTALL, Share, is_installed
from drivers.serial_port import SerialOptions
from drivers.wiegand_bits import LAYOUTS, decode
from gateway.credentials import Credential, Format
from gateway.errors import BadFrame, DeviceLost
from gateway.text import Text

SHARES_PORT = "osdp"  # one line, several readers
TOLD_APART_BY = ("address",)
_LONGEST = 32  # bytes of a number; a roster knows no longer one
_WIEGAND = {layout.bits for layout in LAYOUTS.values()}
_REVERSIBLE = (Format.W26, Format.W34, Format.HEX)  # those of whole bytes


class Options(SerialOptions):
    address: Annotated[int, Field(ge=0, le=126)] = 0
    scbk_file: Path | None = None
    secure: bool = True  # false: in clear, for readers without a secure channel
    format: Literal["auto", "26", "34", "37-H10302", "37-H10304", "hex"] = "auto"  # auto: as many bits as come
    reverse: bool = False

    @model_validator(mode="after")
    def _keyed(self) -> Self:
        if self.secure and self.scbk_file is None:
            raise ValueError(
                Text(
                    "缺少 scbk_file（安全通道密钥文件）；不用安全通道时须写明 secure = false，"
                    "此时卡号可在线路上被窃听和重放",
                    "scbk_file is missing, with the key of the secure channel; without one say secure = false: "
                    "and cards can be listened to and replayed on the wire",
                )
            )
        if not self.secure and self.scbk_file is not None:
            raise ValueError(
                Text(
                    "secure = false 时不用 scbk_file；去掉其中一个",
                    "secure = false goes without scbk_file: take one of them away",
                )
            )
        if self.reverse and self.format.startswith("37"):
            raise ValueError(
                Text("reverse 不能与 37 位格式同用", "reverse turns whole bytes round: it does not go with 37 bits")
            )
        return self


def unusable(options: Options) -> Iterator[tuple[str, Text]]:
    """Yield each key whose file is of no use, and why. A file that only the service may read is not judged."""
    if options.scbk_file is not None:
        try:
            read_key(options.scbk_file)
        except ValueError as error:
            yield "scbk_file", error.args[0]
        except OSError:
            return


def advice(options: Options) -> Iterator[Text]:
    """What an operator should know though the configuration is right."""
    if not is_installed():
        words = Text("未安装 libosdp，此读卡器无法使用。{fix}", "without libosdp this reader does not work; {fix}")
        yield words.with_(fix=INSTALL)
    if not options.secure:
        yield Text(
            "secure = false：卡号以明文传输，可在线路上被窃听和重放",
            "secure = false: its cards cross the wire in clear and can be listened to and replayed",
        )


def parse(bits: Bits, options: Options) -> Credential:
    """A card as it came → credential. Raises `BadFrame`."""
    if -(-bits.size // 8) != len(bits.data):
        raise BadFrame(f"{bits.size} bits in {len(bits.data)} bytes", reason="length")
    if options.format in LAYOUTS or (options.format == "auto" and bits.size in _WIEGAND):
        word = "".join(f"{byte:08b}" for byte in bits.data)[: bits.size]
        card = decode(word, LAYOUTS.get(options.format))
    elif bits.size % 8 or not 0 < len(bits.data) <= _LONGEST:
        raise BadFrame(f"a card of {bits.size} bits", reason="length")
    else:
        card = Credential(Format.HEX, bits.data)
    turned = options.reverse and card.format in _REVERSIBLE
    return Credential(card.format, card.value[::-1]) if turned else card


class OsdpReader:
    """A `gateway.contracts.Reader`."""

    def __init__(self, share: Share, options: Options) -> None:
        self._share = share
        self._options = options

    def read(self) -> Results:
        return [self._judge(found) for found in self._share.fetch()]

    def _judge(self, found: Bits | BadFrame) -> Credential | BadFrame:
        if isinstance(found, BadFrame):
            return found
        try:
            return parse(found, self._options)
        except BadFrame as error:
            return error

    def complaint(self) -> Text | None:
        return self._share.peripheral.complaint()

    def describe(self) -> Text:
        return self._share.describe()

    def close(self) -> None:
        self._share.close()


def joined(options: Options) -> Share:
    """A share of the line that leads to this reader. Raises `DeviceLost`."""
    try:
        key = read_key(options.scbk_file) if options.scbk_file is not None else None
    except OSError as error:
        words = Text("无法读取密钥文件 {path}：{why}", "cannot read the key file {path}: {why}")
        raise DeviceLost(
            words.with_(path=options.scbk_file, why=error.strerror),
            hint=Text("检查 scbk_file 及其权限", "check scbk_file and its permissions"),
        ) from error
    except ValueError as error:
        raise DeviceLost(error.args[0]) from error
    return Share(options.port, options.baud, options.address, key)


def connect(options: Options) -> OsdpReader:
    """Open the line and wait for a session. Raises `DeviceLost`."""
    share = joined(options)
    try:
        share.listen()
    except DeviceLost:
        share.close()
        raise
    return OsdpReader(share, options)
