"""Frames that their makers or users published, so that the readers are tested without ../shared.

Each has its source; the expected card is written as in a roster file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Vector:
    driver: str
    wire: bytes
    cards: list[str]
    source: str
    faults: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.driver}-{self.cards[0] if self.cards else self.faults[0]}"


ACK = "0000ff00ff00"
CPU_CARD = "0000ff1ce4d54b010100042804fde60899107880900220900000000000fde608995c00"
SEEED = "Seeed Studio wiki, 125Khz RFID module UART"
PYTHON_RDM6300 = "mad-tinkerer/python-rdm6300, rdm6300/test_reader.py"
EM18_PAGE = "cparkb2c.in, EM-18 page: card 4500C5D1E9B8, B8 = 45 ^ 00 ^ C5 ^ D1 ^ E9"
UART7941 = "neweggbusiness 9b-0yh-046v-00015, worked example, printed number 0009334109"
RHOMBUS = "rhombusacs, IC+EM/ID WG26/34 module page, worked example card 6B 3D 12 D6"
PM3_TESTS = "RfidResearchGroup/proxmark3, tools/pm3_tests.sh: H10301 FC 123 CN 4567"
PM3_DOC = "RfidResearchGroup/proxmark3, doc/commands.json: FC 31 CN 337"

PN532_COMMENTS = "comments of public PN532 firmwares, collected"
JINMI8 = "jinmi8.com/doc/12721/11042"
LPC1343 = "microBuilder LPC1343 code base, sample output of its PN532 example"
YHY_MANUAL = "Ehuoyan YHY522R manual 1.0, page 10 (manualshive.com 2368779)"

VECTORS = [
    Vector("rdm6300", b"\x0262E3086CED08\x03", ["em4100:62E3086CED"], SEEED),
    Vector("rdm6300", b"\x0201000734E0D2\x03", ["em4100:01000734E0"], SEEED),
    Vector("rdm6300", b"\x0267003BA86C98\x03", ["em4100:67003BA86C"], PYTHON_RDM6300),
    Vector("rdm6300", b"\x0267003BA86793\x03", ["em4100:67003BA867"], PYTHON_RDM6300),
    Vector("rdm6300", b"\x0267003BA86C99\x03", [], PYTHON_RDM6300 + ", one digit changed", ["checksum"]),
    Vector("em18", b"4500C5D1E9B8", ["em4100:4500C5D1E9"], EM18_PAGE),
    Vector("em18", b"4500C5D1E9B9", [], EM18_PAGE + ", one digit changed", ["checksum"]),
    Vector("stxlen", bytes.fromhex("020a0206008e6d5db003"), ["em4100:06008E6D5D"], UART7941),
    Vector("stxlen", bytes.fromhex("0209016b3d12d69a03"), ["hex:6B3D12D6"], RHOMBUS),
    Vector("stxlen", bytes.fromhex("020a0206008e6d5db103"), [], UART7941 + ", one bit changed", ["checksum"]),
    Vector("wiegand", b"00011110100010010110101101\r\n", ["w26:61-4822"], RHOMBUS),
    Vector("wiegand", b"10111101100010001110101110\r\n", ["w26:123-4567"], PM3_TESTS),
    Vector("wiegand", b"10001111100000001010100011\r\n", ["w26:31-337"], PM3_DOC),
    Vector("wiegand", b"00001111100000001010100011\r\n", [], PM3_DOC + ", first bit changed", ["parity"]),
    Vector("wiegand", b"0011010110011110100010010110101100\r\n", ["w34:27453-4822"], RHOMBUS, options={"format": "34"}),
    Vector("wiegand", b"3D12D6\r\n", ["w26:61-4822"], RHOMBUS, options={"encoding": "hex"}),
    Vector("line", b"0009334109\r\n", ["dec10:0009334109"], UART7941, options={"pattern": r"^(?P<dec>\d{10})$"}),
    Vector("pn532", bytes.fromhex(ACK + "0000ff0cf4d54b010100040804b0864d252600"), ["hex:B0864D25"], PN532_COMMENTS),
    Vector("pn532", bytes.fromhex(ACK + "0000ff0cf4d54b010100040804fb0ee20bd800"), ["hex:FB0EE20B"], JINMI8),
    Vector("pn532", bytes.fromhex(ACK + CPU_CARD), ["hex:FDE60899"], PN532_COMMENTS + ", a CPU card with its ATS"),
    Vector("pn532", bytes.fromhex("0000ff0cf4d54b0101000408049eb36e66a900"), ["hex:9EB36E66"], LPC1343),
    Vector("pn532", bytes.fromhex("0000ff0ff1d54b010100440007047bcb51962280c000"), ["hex:047BCB51962280"], LPC1343),
    Vector(
        "pn532", bytes.fromhex("0000ff0cf4d54b010100040804b0864d252700"), [], PN532_COMMENTS + ", DCS", ["checksum"]
    ),
    Vector("yhy", bytes.fromhex("aabb06203d986201e0"), ["hex:3D986201"], YHY_MANUAL),
    Vector("yhy", bytes.fromhex("aabb06203d986201e1"), [], YHY_MANUAL + ", one bit changed", ["checksum"]),
    Vector("line", b"6B3D12D6\r", ["hex:6B3D12D6"], RHOMBUS, options={"pattern": "^(?P<hex>[0-9A-F]+)$", "end": "cr"}),
]
