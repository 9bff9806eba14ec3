"""Pictures of measurements: each format, the same bytes each time, legible names, no library unless it is asked for."""

from __future__ import annotations

import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from gateway.errors import Rejected, StoreError
from gateway.plate_rules import PROVINCES
from gateway.vision.charts import check, draw_faces, draw_plates, label
from gateway.vision.plate_accuracy import Bin

BINS = [Bin(0.0, 0.3, 7, 0.2, 0.4), Bin(0.98, 1.0, 400, 0.99, 0.985)]
PAIRS = Counter({("皖", "皖"): 90, ("皖", "京"): 6, ("学", "警"): 1, ("8", "B"): 3})
MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize("suffix", MAGIC)
def test_the_suffix_chooses_the_format_and_the_same_numbers_give_the_same_file(tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a character that its font lacks
        for path in paths:
            check(path)
            draw_plates(path, "t", BINS, PAIRS)
    first, second = (path.read_bytes() for path in paths)
    assert first.startswith(MAGIC[suffix])
    assert first == second
    assert b"matplotlib.org" not in first


def test_faces_are_drawn_as_one_line_a_group(tmp_path: Path) -> None:
    path = tmp_path / "roc.svg"
    draw_faces(path, "a & <b>", {"east": [(1e-3, 0.5), (1.0, 1.0)], "west": [(1e-3, 0.9), (1.0, 1.0)]})
    groups = [one.get("id", "") for one in ET.parse(path).getroot().iter()]
    lines = [name for name in groups if name.startswith("line2d")]
    draw_faces(path, "a & <b>", {"east": [(1e-3, 0.5), (1.0, 1.0)]})
    fewer = [one for one in ET.parse(path).getroot().iter() if one.get("id", "").startswith("line2d")]
    assert len(lines) == len(fewer) + 2  # the line and its place in the legend


def test_nothing_confused_is_a_picture_too(tmp_path: Path) -> None:
    draw_plates(tmp_path / "none.png", "t", [], Counter({("A", "A"): 3}))
    assert (tmp_path / "none.png").stat().st_size > 1000


def test_every_character_of_plates_has_a_name_of_its_own_in_plain_letters() -> None:
    characters = PROVINCES + "学警港澳挂使领民航应急" + "ABZ019"
    names = [label(character) for character in characters]
    assert all(name.isascii() for name in names)
    assert len(set(names)) == len(characters)


def test_another_suffix_and_a_folder_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="cannot be drawn"):
        check(tmp_path / "picture.gif")
    with pytest.raises(StoreError, match="cannot write"):
        draw_plates(tmp_path / "nowhere" / "picture.png", "t", BINS, PAIRS)


def test_without_matplotlib_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(Rejected) as caught:
        check(tmp_path / "a.png")
    assert f"{sys.prefix}/bin/pip install 'compound-gateway[charts]'" in str(caught.value.hint)


def test_only_a_picture_loads_matplotlib() -> None:
    code = (
        "import gateway.cli.models_bench, gateway.vision.charts, gateway.vision.looks, gateway.watch, sys;"
        "print('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
