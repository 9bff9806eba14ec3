"""OSDP frames that others published, so that the finder is tested without ../shared."""

from __future__ import annotations

SIA = "SIA OSDP specification, Annex E, as quoted in goToMain/libosdp tests/unit-tests/test-sc-sia-vectors.c"
RYANHZ = "ryanhz/osdp-python, tests/test_reply.py and test_command.py"
NET = "bytedreamer/OSDP.Net, src/OSDP.Net.Tests"
LIVE = "Z-bit OSDP-Embedded, tests/captures/sc-monitor-current.osdpcap: a live trace by SIA libosdp-conformance"

# what is on the wire, (address, is a reply, security block, code), where from
FRAMES = [
    (bytes.fromhex("537f0d00046e00802500006e38"), (0x7F, False, 0, 0x6E), SIA),
    (bytes.fromhex("5300080000610044"), (0, False, 0, 0x61), SIA),
    (bytes.fromhex("537f07000160c6"), (0x7F, False, 0, 0x60), RYANHZ),
    (bytes.fromhex("537f08000560a5e1"), (0x7F, False, 0, 0x60), RYANHZ),
    (bytes.fromhex("ff53000d00066e0180250000ec7b"), (0, False, 0, 0x6E), NET),
    (bytes.fromhex("538008000540689f"), (0, True, 0, 0x40), NET),
    (bytes.fromhex("538014000645000ee31010000074972306061b88"), (0, True, 0, 0x45), NET),
    (bytes.fromhex("53ff0f000250ff011a00cd22c71667"), (0x7F, True, 0, 0x50), RYANHZ),
    (bytes.fromhex("53ff10000550ff011a00cd22c71600c9"), (0x7F, True, 0, 0x50), RYANHZ),
    (bytes.fromhex("53001b000e03130077a230f5d33b25f43434929ab208de90a74103"), (0, False, 0x13, 0x77), LIVE),
    (bytes.fromhex("53801b000e03140178d8f543e207ac5d2e30be9fac3aa04bea9585"), (0, True, 0x14, 0x78), LIVE),
]
