"""What orjson writes and reads is what the standard library does, for all that the privacy guard lets pass."""

from __future__ import annotations

import json
import math
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import fastjson
from gateway.errors import Rejected
from gateway.privacy import refuse_face_data

_WHOLE = st.integers(-(1 << 63) + 1, (1 << 63) - 1)
_LEAF = st.none() | st.booleans() | _WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_DATA = st.recursive(_LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


def standard(value: object) -> str:
    """As the journal wrote before orjson did."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(_DATA)
def test_both_libraries_read_what_either_wrote(value: object) -> None:
    for text in (standard(value), fastjson.write(value).decode()):
        assert fastjson.read(text) == json.loads(text) == value


def test_a_card_is_the_same_text_as_before() -> None:
    data = {"point": "东门", "granted": True, "latency_ms": 3, "score": 0.9731, "holder": {"room": None}, "parts": (1,)}
    assert fastjson.write(data).decode() == standard(data)


def test_an_enum_is_its_text() -> None:
    class Word(StrEnum):
        ONE = "one"

    assert fastjson.write({Word.ONE: Word.ONE}) == b'{"one":"one"}'


class Pair(NamedTuple):
    one: int
    two: int


class Hidden(float, Enum):
    """orjson would write what it holds instead of the number that it is."""

    def __new__(cls, values: list[float]) -> Hidden:
        made = float.__new__(cls, 1.5)
        made._value_ = values
        return made

    FACE = [0.5] * 200


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, 1 << 63, 1 << 4096, "\ud800", np.float64(0.5), Pair(1, 2), Hidden.FACE, MappingProxyType({})],
)
def test_what_orjson_would_change_or_refuse_is_refused_by_the_guard_before(value: object) -> None:
    with pytest.raises(Rejected):
        refuse_face_data({"value": value})


def test_a_row_from_before_the_guard_refused_it_can_be_read() -> None:
    assert math.isnan(fastjson.read('{"value":NaN}')["value"])


@pytest.mark.parametrize("text", ["", "{", '{"a":1}}', "[" * 100_000])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the libraries' own words
        fastjson.read(text)
