"""Published and collected frames: every card is read, every fault named, however the wire cuts the bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from drivers import modbus_rtu
from drivers.readers import pn532, yhy
from gateway.contracts import Framer
from tests.readers.vectors import VECTORS, Vector
from tests.wire import CUTS, cards, faults, play

Cut = Callable[[bytes], list[bytes]]


def framer_of(driver: str, **options: Any) -> Framer:
    module = import_module(f"drivers.readers.{driver}")
    framer: Framer = module.framer(module.Options(port="loop://", **options))
    return framer


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_published_frames(vector: Vector, cut: Cut) -> None:
    results = play(framer_of(vector.driver, **vector.options), cut(vector.wire))
    assert cards(results) == vector.cards
    assert faults(results) == vector.faults


# ── the collection beside the project ─────────────────────────────────────────────────────────────────────

DRIVERS = {"rdm6300": "rdm6300", "em18_ascii12": "em18", "stx_len_bcc": "stxlen", "wiegand_bits": "wiegand"}


def framer_for(entry: dict[str, Any]) -> Framer:
    if entry["protocol"] == "line_regex":
        if "w26hex" in entry["config"]:
            return framer_of("wiegand", encoding="hex", format="26")
        return framer_of("line", pattern=entry["config"])
    options = {}
    if entry["protocol"] == "wiegand_bits":
        form = entry["name"].partition("_bad")[0].upper()
        options["format"] = {"W26": "26", "W34": "34"}.get(form[:3]) or f"37-{form.split('_')[1]}"
    return framer_of(DRIVERS[entry["protocol"]], **options)


def written(card: dict[str, Any]) -> str:
    match card["kind"]:
        case "em4100":
            return f"em4100:{card['hex']}"
        case "mifare":
            return f"hex:{card['uid']}"
        case "decimal":
            return f"dec10:{card['number']:010d}"
        case _ if card["bits"] == 37:
            return f"w37:{card.get('fc', 0) << 19 | card['cn']}"
        case _:
            return f"w{card['bits']}:{card['fc']}-{card['cn']}"


def test_what_the_host_sends() -> None:
    assert (pn532.WAKE + pn532.frame(0x14, b"\x01")).hex() == "55550000000000000000000000000000ff03fdd414011700"
    assert pn532.frame(0x4A, b"\x01\x00").hex() == "0000ff04fcd44a0100e100"
    assert yhy.frame(0x20).hex() == "aabb022022"
    assert yhy.frame(0x13, b"\x00").hex() == "aabb03130010"
    block = bytes.fromhex("0008ffffffffffff00112233445566778899aabbccddeeff")  # YHY522R manual, page 23
    assert yhy.frame(0x22, block).hex() == "aabb1a220008ffffffffffff00112233445566778899aa00bbccddeeff30"
    assert modbus_rtu.request(1, 3, 6, 4).hex() == "010300060004a408"


@pytest.mark.shared
@pytest.mark.parametrize("cut", CUTS)
def test_collected_frames(shared: Path, cut: Cut) -> None:
    collection = json.loads((shared / "serial-vectors.json").read_text(encoding="utf-8"))["vectors"]
    ours = [entry for entry in collection if entry["protocol"] in {*DRIVERS, "line_regex"}]
    assert len(ours) >= 28
    for entry in ours:
        results = play(framer_for(entry), cut(bytes.fromhex(entry["hex"])))
        found = list(dict.fromkeys(cards(results)))  # a tag held to the reader is one presentation
        assert found == [written(card) for card in entry["cards"]], entry["name"]
        expected = [entry["error"].partition(":")[0]] if "error" in entry else []
        assert faults(results) == expected, entry["name"]


CARRIES = {  # what each frame says, its command or status first
    "pn532_wakeup_sam": "d41401",
    "pn532_list_106a": "d44a0100",
    "pn532_fw_reply": "d50332010607",
    "yhy_auto_off_reply": "13",
    "yhy_auto_id_cfg": "040200ffffffffffff0000000000000008",
    "yhy_auto_block": "515ec0e07a048804004751355661102808",
    "yhy_stuffed_AA": "2800112233445566778899aabbccddeeff",
}


@pytest.mark.shared
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(("protocol", "driver"), [("pn532_hsu", pn532), ("yhy_aabb", yhy)])
def test_collected_frames_of_polled_readers(shared: Path, protocol: str, driver: Any, cut: Cut) -> None:
    collection = json.loads((shared / "serial-vectors.json").read_text(encoding="utf-8"))["vectors"]
    ours = [entry for entry in collection if entry["protocol"] == protocol]
    assert len(ours) >= 4
    for entry in ours:
        finder = driver.Framer()
        found = [frame for piece in cut(bytes.fromhex(entry["hex"])) for frame in finder.frames(piece)]
        assert not finder.silence()
        if "error" in entry:
            assert faults(found) == [entry["error"]], entry["name"]
            continue
        assert not faults(found), entry["name"]
        if entry["name"] in CARRIES:
            assert found[-1].hex() == CARRIES[entry["name"]]
        results = play(driver.Framer(), cut(bytes.fromhex(entry["hex"])))
        assert cards(results) == [f"hex:{card['uid']}" for card in entry.get("cards", [])], entry["name"]


@pytest.mark.shared
def test_collected_questions_of_modbus_readers(shared: Path) -> None:
    collection = json.loads((shared / "serial-vectors.json").read_text(encoding="utf-8"))["vectors"]
    for entry in collection:
        message, wire = entry.get("message", {}), bytes.fromhex(entry["hex"])
        if entry["protocol"] == "modbus_rtu" and "reg" in message:
            value = message.get("count", message.get("value"))
            assert modbus_rtu.request(message["unit"], message["fc"], message["reg"], value) == wire
