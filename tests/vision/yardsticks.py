"""Third-party plate models of ../shared as an operator would bring them: a folder each, with a card and no code."""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway.settings import PlateReading
from tests.vision.nets import card

ALPHABET = (
    "京沪津渝冀晋蒙辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新学警港澳挂使领民航危"
    "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ险品"
)
_CARD = f"""
[input]
mean = 0.588
std = 0.193
[output]
alphabet = "{ALPHABET}"
colours = ["black", "blue", "green", "white", "yellow"]
activation = "softmax"
"""


def yardstick(shared: Path, into: Path) -> PlateReading:
    """Lay hyperlpr_det_640 and plate_rec_color into a folder of models; return the settings that choose them."""
    for name, task, adapter, more in (
        ("hyperlpr_det_640", "plate.detect", "quad-rows", ""),
        ("plate_rec_color", "plate.read", "ctc", _CARD),
    ):
        folder = into / name
        folder.mkdir()
        shutil.copy(shared / "models" / f"{name}.onnx", folder)
        card(folder, task, adapter, more)
    return PlateReading(detector="hyperlpr_det_640", refiner="", reader="plate_rec_color")
