"""Tiny ONNX files with the inputs and outputs of the real ones, whose answers a test chooses."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from gateway.vision.catalogue import Model, open_model

Array = NDArray[np.float32]


def constant_net(
    path: Path,
    name: str,
    shape: list[int | str],
    outputs: dict[str, Array],
    *,
    batch: bool,
    takes: int = TensorProto.UINT8,
) -> None:
    """Write a net that answers `outputs` whatever it sees; with `batch` each is repeated for every item."""
    nodes: list[Any] = []
    values: list[Any] = []
    described: list[Any] = []
    if batch:
        nodes.append(helper.make_node("Shape", [name], ["count"], start=0, end=1))
    for output, array in outputs.items():
        values.append(numpy_helper.from_array(array.astype(np.float32), f"{output}_value"))
        if batch:
            values.append(numpy_helper.from_array(np.array(array.shape[1:], np.int64), f"{output}_tail"))
            nodes.append(helper.make_node("Concat", ["count", f"{output}_tail"], [f"{output}_shape"], axis=0))
            nodes.append(helper.make_node("Expand", [f"{output}_value", f"{output}_shape"], [output]))
        else:
            nodes.append(helper.make_node("Identity", [f"{output}_value"], [output]))
        size = ["n", *array.shape[1:]] if batch else list(array.shape)
        described.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, size))
    given = helper.make_tensor_value_info(name, takes, shape)
    graph = helper.make_graph(nodes, "constant", [given], described, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))


def card(folder: Path, task: str, adapter: str, more: str = "") -> Model:
    """Write the card of the one ONNX file in a folder and open it."""
    file = next(folder.glob("*.onnx"))
    data = file.read_bytes()
    (folder / "model.toml").write_text(
        f'name = "{folder.name}"\ntask = "{task}"\nadapter = "{adapter}"\nversion = "1"\nlicence = "none"\n'
        f'source = "made by a test"\n[[files]]\nname = "{file.name}"\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        f"bytes = {len(data)}\n{more}",
        encoding="utf-8",
    )
    return open_model(folder)


def plate_detector(folder: Path, plates: list[tuple[Array, float]]) -> Model:
    """A detector that sees these quads (pixels of the 640x384 letterbox) with these scores, five cells each."""
    folder.mkdir(parents=True)
    height, width = 48, 80
    score = np.zeros((1, height, width), np.float32)
    corners = np.zeros((1, height, width, 8), np.float32)
    for quad, value in plates:
        row, column = (int(centre) // 8 for centre in quad.mean(axis=0)[::-1])
        for offset in range(-2, 3):
            at = min(max(column + offset, 0), width - 1)
            score[0, min(max(row, 0), height - 1), at] = value
            corners[0, min(max(row, 0), height - 1), at] = quad.reshape(8) + offset  # wrong by turns, right on average
    outputs = {
        "score": score,
        "corners": corners,
        "rows": np.zeros((1, height, width), np.float32),
        "colour": np.full((1, height, width, 5), 0.2, np.float32),
    }
    constant_net(folder / "net.onnx", "image", [1, 384, 640, 3], outputs, batch=False)
    return card(folder, "plate.detect", "corner-map", "[input]\nwidth = 640\nheight = 384\n")


def plate_refiner(folder: Path, score: float = 0.9, corners: Array | None = None, rows: float = 0.0) -> Model:
    """A refiner that finds each candidate where it was said to be, unless `corners` (8,) says otherwise."""
    folder.mkdir(parents=True)
    place = np.array([20, 20, 140, 20, 140, 60, 20, 60], np.float32) if corners is None else corners
    outputs = {
        "corners": place[None],
        "score": np.array([score], np.float32),
        "rows": np.array([rows], np.float32),
        "colour": np.array([[0.9, 0.025, 0.025, 0.025, 0.025]], np.float32),
    }
    constant_net(folder / "net.onnx", "patch", ["n", 80, 160, 3], outputs, batch=True)
    return card(folder, "plate.refine", "corner-patch")
