"""The three nets of MTCNN as ONNX, from the weight lists of the package `mtcnn` (float32, Keras layout and order).

Inputs are uint8 BGR pictures; `(x - 127.5) / 128` and the change to RGB are folded into the first convolution.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gateway.errors import ModelError
from gateway.vision.prepare.sketch import Sketch, fold_picture

Array = NDArray[np.float32]

_AVERAGE = (127.5, 127.5, 127.5)
_SCALE = 128.0

# rows of each convolution, and (rows, "same" or "valid") of the pool after it; every pool halves the map
_PROPOSE = ((3, (2, "same")), (3, None), (3, None))
_REFINE = ((3, (3, "same")), (3, (3, "valid")), (2, None))
_LOCATE = ((3, (3, "same")), (3, (3, "valid")), (3, (2, "same")), (2, None))
_Trunk = tuple[tuple[int, tuple[int, str] | None], ...]


def pnet(arrays: list[Array]) -> bytes:
    """Any picture [1, H, W, 3] -> `offsets` [1, h, w, 4] and `score` [1, h, w] of the 12 x 12 windows, stride 2."""
    _count(arrays, 13)
    sketch, weights = Sketch("pnet"), iter(arrays)
    x = _trunk(sketch, sketch.picture((1, "H", "W", 3)), weights, _PROPOSE)
    offsets = sketch.convolve(x, _filters(next(weights)), next(weights))
    sketch.add("Transpose", offsets, output="offsets", perm=[0, 2, 3, 1])
    both = sketch.add("Softmax", sketch.convolve(x, _filters(next(weights)), next(weights)), axis=1)
    sketch.add("Gather", both, sketch.index(1), output="score", axis=1)
    return sketch.finish(offsets=[1, "h", "w", 4], score=[1, "h", "w"])


def rnet(arrays: list[Array]) -> bytes:
    """Crops [N, 24, 24, 3] -> `offsets` [N, 4] and `score` [N]."""
    _count(arrays, 16)
    sketch, weights = Sketch("rnet"), iter(arrays)
    x = _trunk(sketch, sketch.picture(("N", 24, 24, 3)), weights, _REFINE)
    x = _hidden(sketch, x, weights)
    sketch.dense(x, next(weights), next(weights), output="offsets")
    _face(sketch, x, weights)
    return sketch.finish(offsets=["N", 4], score=["N"])


def onet(arrays: list[Array]) -> bytes:
    """Crops [N, 48, 48, 3] -> `offsets` [N, 4], `points` [N, 2, 5] (all x, all y; 0..1 of the box) and `score` [N]."""
    _count(arrays, 21)
    sketch, weights = Sketch("onet"), iter(arrays)
    x = _trunk(sketch, sketch.picture(("N", 48, 48, 3)), weights, _LOCATE)
    x = _hidden(sketch, x, weights)
    sketch.dense(x, next(weights), next(weights), output="offsets")
    points = sketch.dense(x, next(weights), next(weights))
    sketch.add("Reshape", points, sketch.constant(np.array([-1, 2, 5], np.int64)), output="points")
    _face(sketch, x, weights)
    return sketch.finish(offsets=["N", 4], points=["N", 2, 5], score=["N"])


def _count(arrays: list[Array], wanted: int) -> None:
    if len(arrays) != wanted:
        raise ModelError(f"{len(arrays)} weight arrays where {wanted} belong")


def _filters(weights: Array) -> Array:
    """(rows, columns, in, out) -> (out, in, rows, columns)."""
    return weights.transpose(3, 2, 0, 1)


def _trunk(sketch: Sketch, x: str, weights: Iterator[Array], trunk: _Trunk) -> str:
    for index, (rows, pool) in enumerate(trunk):
        filters, biases = _filters(next(weights)), next(weights)
        if filters.shape[2:] != (rows, rows):
            raise ModelError(f"a convolution of {filters.shape[2:]} where {rows} x {rows} belongs")
        if index == 0:
            x = sketch.convolve(x, *fold_picture(filters, biases, _AVERAGE, _SCALE))
        else:
            x = sketch.convolve(x, filters, biases)
        x = sketch.add("PRelu", x, sketch.constant(next(weights).reshape(-1, 1, 1)))
        if pool:
            padding = "SAME_UPPER" if pool[1] == "same" else "VALID"
            x = sketch.add("MaxPool", x, kernel_shape=[pool[0]] * 2, strides=[2, 2], auto_pad=padding)
    return x


def _hidden(sketch: Sketch, x: str, weights: Iterator[Array]) -> str:
    """The map is flattened column by column, then row, then channel, as the weights were trained."""
    flat = sketch.add("Flatten", sketch.add("Transpose", x, perm=[0, 3, 2, 1]), axis=1)
    x = sketch.dense(flat, next(weights), next(weights))
    return sketch.add("PRelu", x, sketch.constant(next(weights)))


def _face(sketch: Sketch, x: str, weights: Iterator[Array]) -> None:
    both = sketch.add("Softmax", sketch.dense(x, next(weights), next(weights)), axis=1)
    sketch.add("Gather", both, sketch.index(1), output="score", axis=1)
