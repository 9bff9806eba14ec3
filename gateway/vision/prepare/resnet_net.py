"""dlib's face ResNet as ONNX: uint8 BGR chips [N, 150, 150, 3] -> `embedding` [N, 128], not of unit length.

Affine layers are folded into their convolutions in float64. dlib's `add_prev` fills the smaller operand with zeros at
the end of channels, rows and columns; the map sizes along the net decide where ONNX needs a Pad for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.vision.prepare.dlib_resnet import LENGTH, SIDE, Block, ResNet, Step
from gateway.vision.prepare.sketch import Sketch, fold_picture

_SCALE = 256.0


def resnet(net: ResNet) -> bytes:
    """The ONNX file of a parsed net."""
    sketch = Sketch("dlib-resnet")
    weights, biases = _folded(net.stem)
    weights, biases = fold_picture(weights, biases, net.average, _SCALE)
    x = sketch.picture(("N", SIDE, SIDE, 3))
    x = sketch.add("Relu", sketch.convolve(x, weights, biases, stride=2))
    x = sketch.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    channels, side = 32, _halved(_halved(SIDE, 7), 3)
    for block in net.blocks:
        x, channels, side = _block(sketch, x, block, channels, side)
    x = sketch.add("Flatten", sketch.add("GlobalAveragePool", x), axis=1)
    sketch.add("MatMul", x, sketch.constant(net.projection), output="embedding")
    return sketch.finish(embedding=["N", LENGTH])


def _block(sketch: Sketch, x: str, block: Block, channels: int, side: int) -> tuple[str, int, int]:
    """Returns the output, its channels and the side of its map."""
    width = block.first.convolution.weights.shape[0]
    skip, skip_side, own_side = x, side, side
    own = sketch.add("Relu", _step(sketch, x, block.first))
    own = _step(sketch, own, block.second)
    if block.halves:
        skip = sketch.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        skip_side, own_side = _halved(side, 2), _halved(side, 3)
    larger = max(skip_side, own_side)
    skip = _fill(sketch, skip, width - channels, larger - skip_side)
    own = _fill(sketch, own, 0, larger - own_side)
    return sketch.add("Relu", sketch.add("Add", own, skip)), width, larger


def _halved(side: int, rows: int) -> int:
    """Side of the map after an unpadded layer of `rows` x `rows` with stride 2."""
    return (side - rows) // 2 + 1


def _fill(sketch: Sketch, x: str, channels: int, rows: int) -> str:
    """Zeros at the end of channels, rows and columns."""
    if channels == rows == 0:
        return x
    return sketch.add("Pad", x, sketch.constant(np.array([0, 0, 0, 0, 0, channels, rows, rows], np.int64)))


def _step(sketch: Sketch, x: str, step: Step) -> str:
    weights, biases = _folded(step)
    return sketch.convolve(x, weights, biases, step.convolution.stride, step.convolution.padding)


def _folded(step: Step) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    gain = step.affine.gain.astype(np.float64)
    weights = step.convolution.weights.astype(np.float64) * gain[:, None, None, None]
    return weights, step.convolution.biases.astype(np.float64) * gain + step.affine.shift.astype(np.float64)
