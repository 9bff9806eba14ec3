"""A small configuration to change, and what is wrong with it then."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import ConfigFaults, load
from gateway.text import Language
from tests.house import HEAD

SMALL = f"""\
{HEAD}
[points.east-door]
name = "东门"
kind = "pedestrian"
direction = "in"

[readers.east-reader]
driver = "rdm6300"
port = "/dev/ttyUSB0"
point = "east-door"
"""
FACE = '\n[cameras.cam]\ndriver = "replay"\npath = "."\npoint = "{point}"\nrecognise = ["face"]\nsign_posted = {sign}\n'
LAW = '\n[face]\nenabled = true\npurpose = "p"\nnecessity = "n"\npia_ref = "r"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        load(written(folder, text))
    return [f"{fault.line}: {fault.key}: {fault.message.say(Language.EN)}" for fault in caught.value.faults]
