"""The face nets once more, in float64 numpy and straight from the raw weights, to compare the ONNX files with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gateway.vision.prepare.dlib_resnet import ResNet, Step

Map = NDArray[np.float64]  # channels x rows x columns


def convolve(x: Map, weights: NDArray[np.floating], biases: NDArray[np.floating], stride: int, padding: int) -> Map:
    """Correlation with weights (out, in, rows, columns)."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weights.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
    result = np.tensordot(weights.astype(np.float64), windows, axes=([1, 2, 3], [0, 3, 4]))
    return np.asarray(result + biases.astype(np.float64)[:, None, None])


def pool(x: Map, rows: int, same: bool) -> Map:
    """Largest of rows x rows, stride 2; `same` pads so that the map is halved, the odd pixel at the end."""
    if same:
        missing = [max((-(-side // 2) - 1) * 2 + rows - side, 0) for side in x.shape[1:]]
        x = np.pad(x, ((0, 0), *((gap // 2, gap - gap // 2) for gap in missing)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(x, (rows, rows), axis=(1, 2))[:, ::2, ::2]
    return np.asarray(windows.max(axis=(3, 4)))


def softmax(x: Map, axis: int) -> Map:
    power = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(power / power.sum(axis=axis, keepdims=True))


def _prelu(x: Map, slope: NDArray[np.floating]) -> Map:
    return np.where(x > 0, x, x * slope.astype(np.float64))


def _normal(bgr: NDArray[np.uint8]) -> Map:
    return np.asarray((bgr[..., ::-1].astype(np.float64) - 127.5).transpose(2, 0, 1) / 128)


def trunk(bgr: NDArray[np.uint8], weights: Iterator[NDArray[np.float32]], pools: list[tuple[int, bool] | None]) -> Map:
    x = _normal(bgr)
    for each in pools:
        x = convolve(x, next(weights).transpose(3, 2, 0, 1), next(weights), 1, 0)
        x = _prelu(x, next(weights).reshape(-1, 1, 1))
        if each:
            x = pool(x, *each)
    return x


def pnet(bgr: NDArray[np.uint8], arrays: list[NDArray[np.float32]]) -> tuple[Map, Map]:
    """Offsets (rows, columns, 4) and score (rows, columns)."""
    weights = iter(arrays)
    x = trunk(bgr, weights, [(2, True), None, None])
    offsets = convolve(x, next(weights).transpose(3, 2, 0, 1), next(weights), 1, 0)
    both = convolve(x, next(weights).transpose(3, 2, 0, 1), next(weights), 1, 0)
    return offsets.transpose(1, 2, 0), softmax(both, 0)[1]


def dense_net(
    bgr: NDArray[np.uint8], arrays: list[NDArray[np.float32]], pools: list[tuple[int, bool] | None]
) -> list[Map]:
    """R and O net: each head's output in the order of the weights, the last one's softmax."""
    weights = iter(arrays)
    x = trunk(bgr, weights, pools)
    flat = x.transpose(2, 1, 0).ravel()  # column by column
    flat = _prelu(flat @ next(weights).astype(np.float64) + next(weights), next(weights))
    heads = [flat @ matrix.astype(np.float64) + next(weights) for matrix in weights]
    heads[-1] = softmax(heads[-1], 0)
    return heads


def resnet(bgr: NDArray[np.uint8], net: ResNet) -> Map:
    """128 numbers, as dlib computes them: affine layers apart, zero filling in the sums."""
    x = (bgr[..., ::-1].astype(np.float64) - np.array(net.average)).transpose(2, 0, 1) / 256
    x = np.maximum(_step(x, net.stem), 0)
    x = pool(x, 3, False)
    for block in net.blocks:
        own = _step(np.maximum(_step(x, block.first), 0), block.second)
        skip = x
        if block.halves:
            rows, columns = (side // 2 * 2 for side in x.shape[1:])
            quarters = x[:, :rows, :columns].reshape(len(x), rows // 2, 2, columns // 2, 2)
            skip = quarters.mean(axis=(2, 4))
        x = np.maximum(_sum(own, skip), 0)
    return np.asarray(x.mean(axis=(1, 2)) @ net.projection.astype(np.float64))


def _step(x: Map, step: Step) -> Map:
    layer = step.convolution
    x = convolve(x, layer.weights, layer.biases, layer.stride, layer.padding)
    return np.asarray(x * step.affine.gain[:, None, None].astype(np.float64) + step.affine.shift[:, None, None])


def _sum(one: Map, other: Map) -> Map:
    """The smaller is filled with zeros at the end of every dimension."""
    total = np.zeros([max(sides) for sides in zip(one.shape, other.shape, strict=True)])
    for part in (one, other):
        total[: part.shape[0], : part.shape[1], : part.shape[2]] += part
    return total
