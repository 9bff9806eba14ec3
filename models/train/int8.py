"""The int8 forms of detector and refiner: the same nets, their convolutions in eight bits, for boxes that gain from it.

    python -m models.train.int8 --scenes /var/tmp/scenes

writes `plate-detector-int8.onnx` and `plate-refiner-int8.onnx` beside the nets they come from and signs the cards.
Ranges come from one shard of drawn scenes. Weights keep to seven bits, so that processors without VNNI do not overflow
in sums. Pixels go into the first convolution as they are: the normalisation (x / 64 - 2) is a scale and a zero point.
The detector's last convolution, which says where the corners are, stays as it is.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before the import, see gateway/vision/session.py

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

from gateway.vision.plates.refiner import patch
from models.train.fitting import Shard, load
from models.train.onnx_file import sign

Image = npt.NDArray[np.uint8]

SCALE, ZERO = np.float32(1 / 64), np.uint8(128)  # `fitting.normalised`
SCENES, PATCHES = 100, 400
_IN_EIGHT_BITS = ["Conv", "Add"]


def convert(source: Path, target: Path, pictures: Iterable[Image], *, keep_last: int) -> None:
    """Write `source` with int8 convolutions, but for the last `keep_last`; `pictures` are inputs, uint8 [1,H,W,3]."""
    with tempfile.TemporaryDirectory() as folder:
        bare, made = Path(folder) / "bare.onnx", Path(folder) / "int8.onnx"
        given, inner = _without_normalisation(source, bare)
        layers = [node.name for node in onnx.load(str(bare)).graph.node if node.op_type == "Conv"]
        quantize_static(
            str(bare),
            str(made),
            _Feed(inner, pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=_IN_EIGHT_BITS,
            nodes_to_exclude=layers[len(layers) - keep_last :],
        )
        onnx.save(_with_pixels(onnx.load(str(made)), given, inner), str(target))


def _without_normalisation(source: Path, target: Path) -> tuple[onnx.ValueInfoProto, str]:
    """Write the net from its first convolution on; returns the input it had and the name of the one it has now."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    model = onnx.load(str(target))
    graph = model.graph
    inner = next(node for node in graph.node if node.op_type == "Conv").input[0]
    before = {inner}
    for node in reversed(list(graph.node)):
        if before.intersection(node.output):
            before.update(node.input)
            graph.node.remove(node)
    given = graph.input.pop()
    count, height, width, _ = (size.dim_param or size.dim_value for size in given.type.tensor_type.shape.dim)
    graph.input.append(helper.make_tensor_value_info(inner, TensorProto.FLOAT, [count, 3, height, width]))
    onnx.save(model, str(target))
    return given, inner


def _with_pixels(model: onnx.ModelProto, given: onnx.ValueInfoProto, inner: str) -> onnx.ModelProto:
    """The net takes uint8 BGR again: they are the eight bits that its first convolution wants."""
    graph = model.graph
    first = next(node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == inner)
    known = {tensor.name: tensor for tensor in graph.initializer}
    for name, value in zip(first.input[1:], (SCALE, ZERO), strict=True):
        known[name].CopyFrom(numpy_helper.from_array(np.array(value), name))
    graph.node.remove(first)
    graph.node.insert(0, helper.make_node("Transpose", [given.name], [first.output[0]], perm=[0, 3, 1, 2]))
    graph.input.pop()
    graph.input.append(given)
    return model


class _Feed:
    """One normalised picture after the other, as the calibration asks for them."""

    def __init__(self, name: str, pictures: Iterable[Image]) -> None:
        self._name, self._rest = name, iter(pictures)

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        picture = next(self._rest, None)
        if picture is None:
            return None
        seen = (picture.astype(np.float32) - np.float32(ZERO)) * SCALE
        return {self._name: np.ascontiguousarray(seen.transpose(0, 3, 1, 2))}


def scenes(shard: Shard) -> Iterator[Image]:
    """Whole scenes, at half their size and whole by turns: near plates and far ones."""
    for number, scene in enumerate(shard.images[:SCENES]):
        half = cv2.resize(scene, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        yield np.asarray(half if number % 2 else scene, np.uint8)[None]


def patches(shard: Shard) -> Iterator[Image]:
    """What the detector proposes, plates and others."""
    cuts = (
        patch(np.ascontiguousarray(scene), quad)[0][None]
        for scene, quads in zip(shard.images, shard.proposals, strict=True)
        for quad in quads[:3]
        if quad.any()
    )
    for _, cut in zip(range(PATCHES), cuts, strict=False):
        yield cut


def main() -> None:
    """Make both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True, help="drawn by models.train.scenes, with proposals")
    parser.add_argument("--shard", type=int, default=109)
    parser.add_argument("--models", type=Path, default=Path("models"))
    options = parser.parse_args()
    shard = load(options.scenes, f"scenes-{options.shard:04d}")
    for name, pictures, keep_last in (("plate-detector", scenes(shard), 1), ("plate-refiner", patches(shard), 0)):
        source = options.models / name / f"{name}.onnx"
        target = source.with_name(f"{name}-int8.onnx")
        convert(source, target, pictures, keep_last=keep_last)
        sign(target)


if __name__ == "__main__":
    main()
