"""Parse dlib's face ResNet (29 convolutions, 150 x 150 pixels to 128 numbers) into its layers, input to output.

In the file every layer is "version, the layers below it, own details", so all version numbers come first, outermost
first, then the details from the input upwards. The tree below is the net's published definition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.vision.prepare.dlib_file import Affine, Convolution, DlibFile

SIDE = 150  # pixels of the chip
LENGTH = 128  # numbers in an embedding

# (channels, halves the map) of the 14 residual blocks, input to output
BLOCKS = (
    *[(32, False)] * 3,
    *[(64, True), *[(64, False)] * 3],
    *[(128, True), *[(128, False)] * 2],
    *[(256, True), *[(256, False)] * 2],
    (256, True),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A convolution and the affine layer after it."""

    convolution: Convolution
    affine: Affine


@dataclass(frozen=True, slots=True)
class Block:
    """y = relu(skip(x) + second(relu(first(x)))); `halves`: the first step and the skip halve the map."""

    first: Step
    second: Step
    halves: bool


@dataclass(frozen=True, slots=True)
class ResNet:
    """All weights. `average` is subtracted from RGB 0..255 and the rest divided by 256."""

    average: tuple[float, ...]
    stem: Step
    blocks: tuple[Block, ...]
    projection: NDArray[np.float32]  # 256 x 128


def parse_resnet(data: bytes) -> ResNet:
    """Read the whole file. Raises `ModelError` where it is not this net, to the last byte."""
    file = DlibFile(data)
    file.expect("loss version", 1, file.integer())
    file.word("loss_metric_2")
    file.reals(2)  # margin and threshold of the training
    _versions(file)
    average = _input(file)
    stem = _stem(file)
    blocks, channels = [], 32
    for width, halves in BLOCKS:
        blocks.append(_block(file, channels, width, halves))
        channels = width
    _pool(file, "avg_pool_2", 0, 1)
    projection = _projection(file, channels)
    file.end()
    return ResNet(average, stem, tuple(blocks), projection)


def _versions(file: DlibFile) -> None:
    """2 for a computing layer, 1 for a tag or a skip, 3 for the innermost: output to input."""
    step = [2, 2]  # affine, convolution
    wanted = [2, 2]  # projection, average pool
    for _, halves in reversed(BLOCKS):
        wanted += [2, 2, *([2, 1, 1] if halves else []), *step, 2, *step, 1]
    wanted += [2, 2, 2, 3]  # pool, activation, affine, convolution
    file.expect("layers", tuple(wanted), file.integers(len(wanted)))


def _input(file: DlibFile) -> tuple[float, ...]:
    file.word("input_rgb_image_sized")
    average = file.reals(3)
    file.expect("picture size", (SIDE, SIDE), file.integers(2))
    return average


def _stem(file: DlibFile) -> Step:
    convolution = file.convolution(32, 3, 7, 2, 0)
    _layer_end(file)
    file.integer()  # samples per picture
    affine = _affine(file, 32)
    _activation(file)
    _pool(file, "max_pool_2", 3, 2)
    return Step(convolution, affine)


def _block(file: DlibFile, channels: int, width: int, halves: bool) -> Block:
    first = _step(file, channels, width, stride=2 if halves else 1)
    _activation(file)
    second = _step(file, width, width, stride=1)
    if halves:
        _pool(file, "avg_pool_2", 2, 2)
    file.word("add_prev_")
    _layer_end(file)
    _activation(file)
    return Block(first, second, halves)


def _step(file: DlibFile, channels: int, width: int, stride: int) -> Step:
    convolution = file.convolution(width, channels, 3, stride, 0 if stride > 1 else 1)
    _layer_end(file)
    return Step(convolution, _affine(file, width))


def _affine(file: DlibFile, channels: int) -> Affine:
    affine = file.affine(channels)
    _layer_end(file)
    return affine


def _activation(file: DlibFile) -> None:
    file.word("relu_")
    _layer_end(file)


def _pool(file: DlibFile, word: str, rows: int, stride: int) -> None:
    file.pool(word, rows, stride)
    _layer_end(file)


def _projection(file: DlibFile, channels: int) -> NDArray[np.float32]:
    file.word("fc_2")
    file.expect("projection", (LENGTH, channels), file.integers(2))
    _, values = file.tensor()
    file.expect("weights", (channels, LENGTH, 1, 1), file.alias())
    file.expect("biases", (0, 0, 0, 0), file.alias())
    file.expect("bias mode", 1, file.integer())
    file.reals(4)  # learning rates and weight decays
    _layer_end(file)
    file.expect("parameters", channels * LENGTH, values.size)
    return values.reshape(channels, LENGTH)


def _layer_end(file: DlibFile) -> None:
    """After a layer's details: three truth values and three tensors that a finished net leaves empty."""
    file.flags(3)
    file.no_tensors(3)
