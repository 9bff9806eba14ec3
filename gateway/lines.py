"""Lines between processes: one JSON object a line, one key that says what it is.

Rule: strict both ways. A line is believed only if it is, to the byte, what `encode` writes for its meaning; else
`BadFrame`. No pickle ever crosses: who decodes strangers' pixels may be somebody else by now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from gateway.errors import BadFrame

MAX_LINE: Final = 1 << 20
_LONGEST_TEXT: Final = 2000
M = TypeVar("M")


class Codec(Generic[M]):
    """The lines of one conversation. `kinds` names its messages, `plausible` judges their numbers."""

    def __init__(self, kinds: Mapping[str, type[Any]], plausible: Callable[[M], bool]) -> None:
        self._keys = {kind: key for key, kind in kinds.items()}
        self._adapters: dict[str, TypeAdapter[Any]] = {key: TypeAdapter(kind) for key, kind in kinds.items()}
        self._plausible = plausible

    def encode(self, message: M) -> bytes:
        """One line, its newline included."""
        key = self._keys[type(message)]
        return b'{"%s":%s}\n' % (key.encode(), self._adapters[key].dump_json(message))

    def decode(self, line: bytes) -> M:
        """Read a line. Raises `BadFrame`."""
        key, separator, rest = line[2:].partition(b'":')
        adapter = self._adapters.get(key[:20].decode("ascii", "replace"))
        if adapter is None or not separator:
            raise BadFrame(f"a line of no known kind: {line[:60]!r}", reason="kind")
        try:
            message: M = adapter.validate_json(rest.rstrip(b"\n")[:-1], strict=True)
            exact = self.encode(message) == line
        except (ValidationError, PydanticSerializationError) as error:
            raise BadFrame(f"a line of kind {key.decode()} of the wrong shape", reason="shape") from error
        if not exact or not self._plausible(message) or not _texts_are_short(message):
            raise BadFrame(f"a line of kind {key.decode()} that nobody here would write", reason="shape")
        return message


def _texts_are_short(message: object) -> bool:
    slots = (getattr(message, name) for name in getattr(type(message), "__slots__", ()))
    return all(len(value) <= _LONGEST_TEXT for value in slots if isinstance(value, str))
