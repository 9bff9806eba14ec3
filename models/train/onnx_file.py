"""From a trained net to the file that ships: ONNX with weights stored in half precision, signed into its card."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET = 17
_SMALL = 64  # numbers: not worth halving

Axes = dict[str, dict[int, str]]


def write(net: nn.Module, sample: Tensor, path: Path, names: tuple[str, list[str]], axes: Axes) -> None:
    """Export `net` as it answers `sample`; `names` are its input and outputs, `axes` the dimensions left free.

    Updates sha256 and size in the model.toml beside the file, where there is one.
    """
    source, outputs = names
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        net, (sample,), str(path), input_names=[source], output_names=outputs, dynamic_axes=axes,
        opset_version=OPSET, dynamo=False,
    )  # fmt: skip
    model = onnx.load(str(path))
    halve(model)
    onnx.save(model, str(path))
    sign(path)


def halve(model: onnx.ModelProto) -> None:
    """Store the weights as float16; a cast puts each back, which the runtime does once when it loads the file."""
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _SMALL:
            continue
        name = tensor.name
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}.half")
        tensor.CopyFrom(half)
        casts.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def sign(path: Path) -> None:
    """Write the file's sha256 and size into its table of the model.toml beside it. Raises `ValueError` without one."""
    content, card = path.read_bytes(), path.with_name("model.toml")
    if card.exists():
        table = rf'(name = "{re.escape(path.name)}"\nsha256 = ")\w*("\nbytes = )\d+'
        signed = rf"\g<1>{hashlib.sha256(content).hexdigest()}\g<2>{len(content)}"
        text, found = re.subn(table, signed, card.read_text("utf-8"))
        if found != 1:
            raise ValueError(f"{card} needs one [[files]] table of {path.name}: name, sha256, bytes in this order")
        card.write_text(text, "utf-8")
