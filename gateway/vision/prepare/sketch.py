"""A net drawn layer by layer and written as ONNX, always as the same bytes.

The rule: versions are fixed, names count upwards, weights are raw little-endian: nothing depends on the machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

OPSET = 17
_IR_VERSION = 8  # what opset 17 came with


@dataclass(slots=True)
class Sketch:
    """Each method adds a layer and returns the name of its output."""

    name: str
    _nodes: list[Any] = field(default_factory=list)
    _weights: list[Any] = field(default_factory=list)
    _inputs: list[Any] = field(default_factory=list)

    def picture(self, shape: tuple[int | str, ...]) -> str:
        """The input `image`, uint8 [N, rows, columns, 3] BGR; returns it as float32 [N, 3, rows, columns]."""
        self._inputs.append(helper.make_tensor_value_info("image", TensorProto.UINT8, list(shape)))
        planes = self.add("Transpose", "image", perm=[0, 3, 1, 2])
        return self.add("Cast", planes, to=TensorProto.FLOAT)

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        output = output or f"{kind.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, values: NDArray[Any]) -> str:
        name = f"w{len(self._weights)}"
        kind = TensorProto.INT64 if values.dtype == np.int64 else TensorProto.FLOAT
        values = np.asarray(values, "<i8" if kind == TensorProto.INT64 else "<f4", order="C")
        self._weights.append(helper.make_tensor(name, kind, values.shape, values.tobytes(), raw=True))
        return name

    def index(self, value: int) -> str:
        """A whole number without dimensions."""
        return self.constant(np.array(value, np.int64))

    def convolve(self, x: str, weights: NDArray[Any], biases: NDArray[Any], stride: int = 1, padding: int = 0) -> str:
        return self.add(
            "Conv",
            x,
            self.constant(weights),
            self.constant(biases),
            kernel_shape=list(weights.shape[2:]),
            strides=[stride] * 2,
            pads=[padding] * 4,
        )

    def dense(self, x: str, weights: NDArray[Any], biases: NDArray[Any], output: str | None = None) -> str:
        """Weights (in, out)."""
        return self.add("Gemm", x, self.constant(weights), self.constant(biases), output=output)

    def finish(self, **outputs: list[int | str]) -> bytes:
        """The whole file. `outputs` name float32 outputs and their shapes."""
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
        graph = helper.make_graph(self._nodes, self.name, self._inputs, infos, self._weights)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="compound-gateway",
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))


def fold_picture(
    weights: NDArray[Any], biases: NDArray[Any], average: tuple[float, ...], scale: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fold `(x - average) / scale` on RGB and the change from BGR into an unpadded first convolution.

    Weights (out, 3 as RGB, rows, columns). `math.fsum` rounds once, so every machine gets the same bytes.
    """
    scaled = weights.astype(np.float64) / scale
    shifted = scaled * np.asarray(average, np.float64)[None, :, None, None]
    shift = np.array([math.fsum(filter_.ravel()) for filter_ in shifted])
    return scaled[:, ::-1], biases.astype(np.float64) - shift
