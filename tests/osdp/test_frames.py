"""Frames of an OSDP line, however it cuts them, and whatever else comes over it."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.osdp.frames import LONGEST, Frame, FrameFinder, parse
from gateway.errors import BadFrame
from tests.osdp.vectors import FRAMES
from tests.wire import CUTS

Cut = Callable[[bytes], list[bytes]]
RAW = FRAMES[-3][0]


def found_in(pieces: list[bytes]) -> list[Frame | BadFrame]:
    finder = FrameFinder()
    return [found for piece in pieces for found in finder.feed(piece)] + list(finder.silence())


def told(pieces: list[bytes]) -> list[bytes | str]:
    return [found.raw if isinstance(found, Frame) else found.reason for found in found_in(pieces)]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(("wire", "expected", "_source"), FRAMES)
def test_published_frames(wire: bytes, expected: tuple[int, bool, int, int], _source: str, cut: Cut) -> None:
    (frame,) = found_in(cut(wire))
    assert isinstance(frame, Frame)
    assert (frame.address, frame.is_reply, frame.security, frame.code) == expected
    assert frame.raw == wire.removeprefix(b"\xff")


def test_the_data_of_a_card_is_what_follows_its_code() -> None:
    assert parse(RAW).data == bytes.fromhex("ff011a00cd22c716")


@pytest.mark.shared
@pytest.mark.parametrize("cut", CUTS)
def test_collected_frames(shared: Path, cut: Cut) -> None:
    collection = json.loads((shared / "serial-vectors.json").read_text(encoding="utf-8"))["vectors"]
    ours = [entry for entry in collection if entry["protocol"] in ("osdp", "osdp_sc")]
    assert len(ours) >= 18
    for entry in ours:
        wire = bytes.fromhex(entry["hex"])
        results = told(cut(wire))
        assert results == ([entry["error"]] if "error" in entry else [wire.removeprefix(b"\xff")]), entry["name"]
        if "error" not in entry:
            assert parse(wire.removeprefix(b"\xff")).is_reply == (entry["direction"] == "reader->host")


@pytest.mark.parametrize("at", range(len(RAW)))
def test_any_changed_byte_is_noticed(at: int) -> None:
    changed = bytearray(RAW)
    changed[at] ^= 0x10
    assert not [found for found in found_in([bytes(changed)]) if isinstance(found, Frame)]


def test_a_frame_is_found_behind_one_that_claims_more_than_there_is() -> None:
    assert told([b"\x53\x80\x10\x00\x05" + RAW + b"\x00\x00"])[-1] == RAW


def test_a_security_block_that_leaves_no_room_is_no_frame() -> None:
    for block in (0, 1, 3, 9):
        body = bytes((0x53, 0x80, 9, 0, 0x08, block, 0x12, 0x40))
        with pytest.raises(BadFrame):
            parse(body + (-sum(body) & 0xFF).to_bytes(1))


_likely = st.sampled_from(
    [b"\x53", b"\xff\x53", b"\x53\x80", b"\x53\x80\x00\x01\x04", *(wire[:9] for wire, *_ in FRAMES)]
)
hostile = st.lists(st.one_of(st.binary(max_size=64), _likely), max_size=40)


@settings(max_examples=200, deadline=None)
@given(pieces=hostile)
def test_any_bytes_do_no_harm_and_the_next_frame_is_found(pieces: list[bytes]) -> None:
    finder = FrameFinder()
    for piece in pieces:
        assert all(isinstance(found, Frame | BadFrame) for found in finder.feed(piece))
        assert len(finder._waiting) < LONGEST
    finder.silence()
    assert [found.raw for found in finder.feed(RAW) if isinstance(found, Frame)] == [RAW]


@settings(max_examples=200, deadline=None)
@given(before=st.binary(max_size=300), after=st.binary(max_size=300), cuts=st.lists(st.integers(0, 620), max_size=20))
def test_cutting_never_matters(before: bytes, after: bytes, cuts: list[int]) -> None:
    data = before + RAW + after
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    assert told([data[a:b] for a, b in pairwise(places)]) == told([data])
