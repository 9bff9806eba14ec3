"""Lists of float32 arrays out of a joblib file, without unpickling: this reader can build numbers and nothing else.

A joblib file is a pickle, a program whose opcodes may import and call anything. Here the few opcodes such a list needs
are read as plain data; three names are known as words, no name is ever looked up, and every other opcode is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import ModelError
from gateway.extras import install

Array = NDArray[np.float32]

_LARGEST = 64 << 20  # bytes after decompression; the largest file meant here has 2 MB
_WORDS = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): "array",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
}


class _Mark:
    """The place on the stack where a group began."""


@dataclass(frozen=True, slots=True)
class _Word:
    """One of the known names. It names a thing; it is not the thing."""

    name: str


@dataclass(slots=True)
class _Float32:
    """Stands for numpy's description of little-endian float32."""


@dataclass(slots=True)
class _ArrayHeader:
    """What is written before an array's bytes; `values` once they were read."""

    values: Array | None = None


def read_arrays(data: bytes) -> list[Array]:
    """The arrays of an LZ4 frame that holds a joblib-written list of float32 arrays, in order.

    Raises `ModelError` for anything else.
    """
    try:
        return _Reader(_decompress(data)).read()
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise ModelError(f"not a list of float32 arrays: {error}") from error


def _decompress(data: bytes) -> bytes:
    try:
        import lz4.frame  # only `models prepare` needs it, and only with the extra `faces`
    except ImportError as error:
        raise ModelError("the package lz4 is not installed", hint=f"run: {install('faces')}") from error
    try:
        plain = lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=_LARGEST)
    except RuntimeError as error:
        raise ModelError(f"not an LZ4 frame: {error}") from error
    return bytes(plain)


@dataclass(slots=True)
class _Reader:
    data: bytes
    at: int = 0
    stack: list[Any] = field(default_factory=list)
    memo: list[Any] = field(default_factory=list)

    def read(self) -> list[Array]:
        while (code := self.take(1)) != b".":
            step = _STEPS.get(code)
            if step is None:
                raise ValueError(f"opcode {code!r} at byte {self.at - 1} is not allowed")
            step(self)
        (result,) = self.stack
        if self.at != len(self.data) or not isinstance(result, list):
            raise ValueError("not one list")
        arrays = [item.values if isinstance(item, _ArrayHeader) else None for item in result]
        if any(array is None for array in arrays):
            raise ValueError("the list holds something else than arrays")
        return [array for array in arrays if array is not None]

    def take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        if len(piece) != count:
            raise ValueError("the file ends too early")
        self.at += count
        return piece

    def group(self) -> list[Any]:
        """Everything above the last mark, which goes too."""
        start = max(index for index, item in enumerate(self.stack) if isinstance(item, _Mark))
        items = self.stack[start + 1 :]
        del self.stack[start:]
        return items

    def text(self) -> None:
        self.stack.append(self.take(self.take(1)[0]).decode("ascii"))

    def name(self) -> None:
        word, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_Word(_WORDS[module, word]))

    def new(self) -> None:
        arguments, word = self.stack.pop(), self.stack.pop()
        if word != _Word("array") or arguments != ():
            raise ValueError("only arrays can be made")
        self.stack.append(_ArrayHeader())

    def call(self) -> None:
        arguments, word = self.stack.pop(), self.stack.pop()
        if word != _Word("dtype") or arguments != ("f4", False, True):
            raise ValueError("only float32 is known")
        self.stack.append(_Float32())

    def state(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Float32) and state[:2] == (3, "<"):
            return
        if not isinstance(target, _ArrayHeader) or not isinstance(state, dict):
            raise TypeError("a state for something unknown")
        target.values = self.values(state)

    def values(self, header: dict[str, Any]) -> Array:
        """The raw numbers behind a header: one byte that counts the padding, the padding, the numbers."""
        shape = header["shape"]
        if header["order"] != "C" or not isinstance(header["dtype"], _Float32) or not 1 <= len(shape) <= 4:
            raise ValueError("an array of another kind")
        if not all(isinstance(side, int) and 0 < side < 1 << 20 for side in shape):
            raise ValueError("an array without numbers")
        self.take(self.take(1)[0])
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(self.take(4 * count), "<f4").reshape(shape)

    def items(self) -> None:
        group = self.group()
        self.stack[-1].update(zip(group[::2], group[1::2], strict=True))

    def extend(self) -> None:
        group = self.group()
        if not isinstance(self.stack[-1], list):
            raise TypeError("items for something that is no list")
        self.stack[-1].extend(group)

    def tuple_of(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(items)


def _push(value: Any) -> Callable[[_Reader], None]:
    return lambda reader: reader.stack.append(value)


def _number(form: str) -> Callable[[_Reader], None]:
    size = struct.calcsize(form)
    return lambda reader: reader.stack.append(struct.unpack(form, reader.take(size))[0])


def _skip(count: int) -> Callable[[_Reader], None]:
    def step(reader: _Reader) -> None:
        reader.take(count)

    return step


_STEPS: dict[bytes, Callable[[_Reader], None]] = {
    b"\x80": _skip(1),  # protocol
    b"\x95": _skip(8),  # frame length
    b"\x94": lambda reader: reader.memo.append(reader.stack[-1]),
    b"h": lambda reader: reader.stack.append(reader.memo[reader.take(1)[0]]),
    b"(": lambda reader: reader.stack.append(_Mark()),
    b"]": lambda reader: reader.stack.append([]),
    b"}": lambda reader: reader.stack.append({}),
    b")": _push(()),
    b"N": _push(None),
    b"\x88": _push(True),
    b"\x89": _push(False),
    b"K": _number("<B"),
    b"M": _number("<H"),
    b"J": _number("<i"),
    b"\x8c": _Reader.text,
    b"\x93": _Reader.name,
    b"\x81": _Reader.new,
    b"R": _Reader.call,
    b"b": _Reader.state,
    b"u": _Reader.items,
    b"e": _Reader.extend,
    b"t": lambda reader: reader.stack.append(tuple(reader.group())),
    b"\x85": lambda reader: reader.tuple_of(1),
    b"\x86": lambda reader: reader.tuple_of(2),
    b"\x87": lambda reader: reader.tuple_of(3),
}
