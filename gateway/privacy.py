"""The guard at every sink: an event that could carry a picture or a face is refused, whoever made it.

Rule: refuse by shape as well as by name. A driver that hides an embedding under an innocent key is caught by how many
numbers it has, a picture by the length of its unbroken base64, wherever in the data it lies.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from gateway.errors import Rejected

MAX_NUMBERS = 16  # in one list: a plate has at most ten characters, a box four corners
MAX_FLOATS = MAX_WHOLES = 48  # in one event, however they are spread: the smallest embedding has 128 numbers
MAX_TEXT = 16_384  # characters of all strings of one event
_WHOLE = 1 << 63  # a whole number is smaller: in one of any size a picture could hide
_DEEPEST = 6
_SHORT = 20  # characters that no encoding of a picture fits into
_ALONE = 64  # the same for a text that no others stand beside, which could hold the rest: 47 bytes
_WORDS = set(
    re.findall(
        r"\w+",
        """image images img picture pictures photo photos jpeg jpg png bitmap pixels thumbnail crop crops
        embedding embeddings vector vectors feature features template templates landmark landmarks faceprint""",
    )
)
_CARD_KEYS = {"card_no", "card_number", "card_hex", "card_uid", "cardno", "cardnumber", "pin", "password"}
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_LONG = 128
_UNBROKEN = re.compile(rf"[A-Za-z0-9+/_-]{{{_LONG}}}")
_MAGIC = re.compile(r"data:[\w.+-]+/|/9j/[A-Za-z0-9+/]{12}|iVBORw0KGgo|UklGR[A-Za-z0-9+/]{12}")


class _Tally:
    """What one event has held so far."""

    characters = floats = wholes = 0

    def refuse_excess(self) -> None:
        if self.characters > MAX_TEXT or self.floats > MAX_FLOATS or self.wholes > MAX_WHOLES:
            raise _refusal(f"its data has more than {MAX_TEXT} characters or {MAX_FLOATS} numbers of a kind")


def refuse_face_data(data: Mapping[str, Any]) -> None:
    """Raise `Rejected` unless `data` is small plain JSON without pictures, templates, embeddings or card numbers."""
    tally = _Tally()
    if type(data) is dict:
        _inspect_map(data, 0, tally)
    else:
        _inspect("data", data, 0, tally)
    tally.refuse_excess()


def refuse_face_text(name: str, text: str) -> None:
    """Raise `Rejected` if one string, that is not part of an event's data, could hold a picture."""
    if len(text) >= _ALONE or not text.isascii():
        _refuse_text(name, text)


def _inspect(key: str, value: object, depth: int, tally: _Tally) -> None:
    if depth > _DEEPEST:
        raise Rejected(f"{key} is nested deeper than {_DEEPEST} levels")
    if isinstance(value, str):
        _refuse_text(key, value)
        tally.characters += len(value)
    elif value is None or isinstance(value, bool):
        return
    elif isinstance(value, int):
        if not -_WHOLE < value < _WHOLE:
            raise _refusal(f"{key} is a whole number of {value.bit_length()} bits")
        tally.wholes += 1
    elif type(value) is float:
        if not math.isfinite(value):
            raise Rejected(f"{key} is {value}, which JSON cannot say")
        tally.floats += 1
    elif isinstance(value, dict):
        _inspect_map(value, depth, tally)
    elif isinstance(value, list) or type(value) is tuple:
        _refuse_series(key, value)
        for inner in value:
            _inspect(key, inner, depth + 1, tally)
    else:  # floats and tuples of kinds that orjson would refuse, or write as something else, among them
        raise _refusal(f"{key} is a {type(value).__name__}")
    tally.refuse_excess()  # before it has looked at all of a long list


def _inspect_map(values: Mapping[Any, object], depth: int, tally: _Tally) -> None:
    """Every event passes here on its way in and on each way out: what is common and small passes without a call."""
    if depth == _DEEPEST and values:
        raise Rejected(f"{next(iter(values))} is nested deeper than {_DEEPEST} levels")
    characters = _refuse_keys(tuple(values))
    for name, value in values.items():
        if type(value) is str and (length := len(value)) < _SHORT and value.isascii():
            characters += length
        elif type(value) is dict:
            _inspect_map(value, depth + 1, tally)
        elif type(value) is int and -_WHOLE < value < _WHOLE:
            tally.wholes += 1
        elif value is not None and type(value) is not bool:
            _inspect(name, value, depth + 1, tally)
    tally.characters += characters


@lru_cache(maxsize=256)  # the same few sets of keys come with every event
def _refuse_keys(names: tuple[Any, ...]) -> int:
    """The number of their characters."""
    for name in names:
        if not isinstance(name, str):
            raise Rejected(f"the key {name!r} is not text")
        if _is_suspicious(name):
            raise _refusal(f"it has a key named {name}")
    return sum(map(len, names))


def _is_suspicious(name: str) -> bool:
    _refuse_text(name, name)
    words = [part.lower() for part in _PARTS.findall(name)]
    if name.lower() in _CARD_KEYS:
        return True
    return bool(words) and (words[0] == "face" or not _WORDS.isdisjoint(words))


def _refuse_series(key: str, values: Iterable[object]) -> None:
    items = list(values)
    if sum(_is_number(item) for item in items) > MAX_NUMBERS:
        raise _refusal(f"{key} is a list of {len(items)} numbers")
    joined = "".join(item for item in items if isinstance(item, str) and " " not in item)
    if len(joined) > _LONG:
        _refuse_encoded(key, joined)


def _is_number(item: object) -> bool:
    if isinstance(item, str):
        try:
            float(item)
        except ValueError:
            return False
        return True
    return isinstance(item, (int, float)) and not isinstance(item, bool)


def _refuse_text(key: str, text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:  # a lone surrogate, from a file name that is not UTF-8
            raise Rejected(f"{key} is no valid text") from error
    if len(text) >= _SHORT:
        _refuse_encoded(key, text)


def _refuse_encoded(key: str, text: str) -> None:
    unbroken = text.replace("\n", "").replace("\r", "") if len(text) > 64 else text
    if _MAGIC.search(unbroken) or (len(unbroken) >= _LONG and _UNBROKEN.search(unbroken)):
        raise _refusal(f"{key} looks like encoded binary data")


def _refusal(why: str) -> Rejected:
    return Rejected(
        f"event refused by the privacy guard: {why}",
        hint="pictures, faces and embeddings stay on the box; name the capture instead",
    )
