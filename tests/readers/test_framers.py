"""What every framer of every registered reader promises, whatever comes over the wire."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contracts import Framer
from gateway.credentials import Credential
from gateway.errors import BadFrame
from tests.readers.test_vectors import framer_of
from tests.readers.vectors import VECTORS, Vector

GOOD = {(vector.driver, json.dumps(vector.options)): vector for vector in VECTORS if vector.cards}
EVERY = pytest.mark.parametrize("vector", GOOD.values(), ids=str)

# Noise, and noise that looks like frames: marks, digits, lengths, pieces of real frames.
_likely = st.sampled_from([b"\x02", b"\x03", b"\r", b"\n", b"\x0a", b"\x09\x01", b"\x02\x0a\x02", b"0", b"F" * 300])
_pieces = st.sampled_from([v.wire[:at] for v in VECTORS for at in (1, 5, len(v.wire))])
hostile = st.lists(st.one_of(st.binary(max_size=64), _likely, _pieces), max_size=30)


def held(framer: Framer) -> int:
    return sum(len(value) for value in vars(framer).values() if isinstance(value, bytearray))


@EVERY
@settings(max_examples=60, deadline=None)
@given(pieces=hostile)
def test_any_bytes_do_no_harm_and_the_next_card_is_read(vector: Vector, pieces: list[bytes]) -> None:
    framer = framer_of(vector.driver, **vector.options)
    for piece in pieces:
        assert all(isinstance(result, Credential | BadFrame) for result in framer.feed(piece))
        assert held(framer) <= 258
    framer.silence()
    assert held(framer) == 0
    results = [*framer.feed(vector.wire), *framer.silence()]
    assert [result.written() for result in results if isinstance(result, Credential)] == vector.cards
    assert not [result for result in results if isinstance(result, BadFrame)]


@EVERY
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=20))
def test_cutting_never_matters(vector: Vector, data: bytes, cuts: list[int]) -> None:
    data = data[:150] + vector.wire + data[150:]

    def told(pieces: list[bytes]) -> list[Any]:
        framer = framer_of(vector.driver, **vector.options)
        results = [result for piece in pieces for result in framer.feed(piece)] + list(framer.silence())
        return [result if isinstance(result, Credential) else result.reason for result in results]

    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    assert told([data[a:b] for a, b in pairwise(places)]) == told([data])


@EVERY
def test_endless_garbage_never_grows(vector: Vector) -> None:
    for garbage in (b"\x02", b"9", b"\x00", b"\x02\x0a\x02", b"0123456789ABCDEF"):
        framer = framer_of(vector.driver, **vector.options)
        told = sum(len(framer.feed(garbage * 100)) for _ in range(100))
        assert held(framer) <= 258
        assert told <= len(garbage) * 100 * 100
