"""Published and collected frames: every card is read, every fault named, however the wire cuts the bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

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
