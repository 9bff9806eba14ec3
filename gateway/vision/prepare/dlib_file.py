"""The numbers of dlib's serialisation: integers, floats, tensors, and the layer records that a face net is made of.

The rule: every read is bounded and checked, and a file is accepted only if it ends exactly where its last layer does.
Formats follow dlib's serialize() functions; the shape of the net is not in the file, the caller must know it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.errors import ModelError

Array = NDArray[np.float32]

_LARGEST = 1 << 24  # values in one tensor
_EMPTY = (0, 0, 0, 0)


class Convolution(NamedTuple):
    """Weights (out, in, rows, columns) and biases (out,); dlib correlates, as ONNX does."""

    weights: Array
    biases: Array
    stride: int
    padding: int


class Affine(NamedTuple):
    """Per channel: y = gain * x + shift."""

    gain: Array
    shift: Array


@dataclass(slots=True)
class DlibFile:
    """A position in the bytes. Each method reads one thing and moves on; `ModelError` where the bytes are not it."""

    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        if len(piece) != count:
            raise ModelError(f"the dlib file ends too early, at byte {len(self.data)}")
        self.at += count
        return piece

    def expect(self, what: str, wanted: object, found: object) -> None:
        if found != wanted:
            raise ModelError(f"dlib file: {what} is {found!r} before byte {self.at}, expected {wanted!r}")

    def end(self) -> None:
        self.expect("length", len(self.data), self.at)

    def integer(self) -> int:
        """One control byte (sign and count of bytes), then the magnitude, little-endian."""
        control = self.take(1)[0]
        self.expect("integer marker", 0, control & 0x70)
        count = control & 0x0F
        if not 1 <= count <= 8:
            raise ModelError(f"dlib file: an integer of {count} bytes before byte {self.at}")
        magnitude = int.from_bytes(self.take(count), "little")
        return -magnitude if control & 0x80 else magnitude

    def integers(self, count: int) -> tuple[int, ...]:
        return tuple(self.integer() for _ in range(count))

    def real(self) -> float:
        """Mantissa and exponent, each an integer."""
        mantissa, exponent = self.integer(), self.integer()
        if not -1100 <= exponent <= 1000:  # 32000…32002 mean infinity and nan, which no weight is
            raise ModelError(f"dlib file: a number with exponent {exponent} before byte {self.at}")
        return float(mantissa) * 2.0**exponent

    def reals(self, count: int) -> tuple[float, ...]:
        return tuple(self.real() for _ in range(count))

    def flags(self, count: int) -> None:
        if not set(self.take(count)) <= {ord("0"), ord("1")}:
            raise ModelError(f"dlib file: no truth value before byte {self.at}")

    def word(self, *allowed: str) -> str:
        length = self.integer()
        if not 0 <= length <= 64:
            raise ModelError(f"dlib file: a word of {length} bytes before byte {self.at}")
        word = self.take(length).decode("ascii", "replace")
        if word not in allowed:
            raise ModelError(f"dlib file: found '{word}' before byte {self.at}, expected {' or '.join(allowed)}")
        return word

    def tensor(self) -> tuple[tuple[int, ...], Array]:
        """Shape (samples, channels, rows, columns) and raw little-endian float32 values, flat."""
        self.expect("tensor version", 2, self.integer())
        shape = self.integers(4)
        count = int(np.prod(shape, dtype=object))
        if min(shape) < 0 or count > _LARGEST:
            raise ModelError(f"dlib file: a tensor of {shape} before byte {self.at}")
        return shape, np.frombuffer(self.take(4 * count), "<f4")

    def no_tensors(self, count: int) -> None:
        """Gradients and cached outputs, which a finished net leaves empty."""
        for _ in range(count):
            self.expect("left-over tensor", _EMPTY, self.tensor()[0])

    def alias(self) -> tuple[int, ...]:
        """The shape of a view into a layer's parameters."""
        self.expect("alias version", 1, self.integer())
        return self.integers(4)

    def convolution(self, filters: int, channels: int, size: int, stride: int, padding: int) -> Convolution:
        word = self.word("con_4", "con_5", "con_6")
        _, values = self.tensor()
        self.expect("convolution", (filters, size, size, stride, stride, padding, padding), self.integers(7))
        self.expect("filters", (filters, channels, size, size), self.alias())
        self.expect("biases", (1, filters, 1, 1), self.alias())
        self.reals(4)  # learning rates and weight decays
        self.flags({"con_4": 0, "con_5": 1, "con_6": 2}[word])
        split = filters * channels * size * size
        self.expect("parameters", split + filters, values.size)
        return Convolution(values[:split].reshape(filters, channels, size, size), values[split:], stride, padding)

    def affine(self, channels: int) -> Affine:
        word = self.word("affine_", "affine_2")
        _, values = self.tensor()
        self.expect("gain", (1, channels, 1, 1), self.alias())
        self.expect("shift", (1, channels, 1, 1), self.alias())
        self.integer()  # mode: per channel, as the shapes say
        self.flags(word == "affine_2")
        self.expect("parameters", 2 * channels, values.size)
        return Affine(values[:channels], values[channels:])

    def pool(self, word: str, rows: int, stride: int) -> None:
        self.word(word)
        self.expect("pool", (rows, rows, stride, stride, 0, 0), self.integers(6))
