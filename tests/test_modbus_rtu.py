"""Modbus RTU: answers found in whatever a wire brings, and faults named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import modbus_rtu
from gateway.errors import BadFrame
from tests.wire import CUTS

NUMBER = bytes.fromhex("B0864D25")
QUESTION = bytes.fromhex("010300060004a408")
BODY = bytes.fromhex("010308") + bytes(4) + NUMBER
REPLY = BODY + modbus_rtu.crc(BODY)


@settings(max_examples=200, deadline=None)
@given(before=st.binary(max_size=60), after=st.binary(max_size=20))
def test_an_answer_is_found_in_any_noise(before: bytes, after: bytes) -> None:
    assert modbus_rtu.values(QUESTION, before + REPLY + after) is not None
    assert modbus_rtu.values(QUESTION, REPLY + after) == bytes(4) + NUMBER


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(
        st.one_of(st.binary(max_size=99), st.sampled_from([QUESTION, REPLY[:7], b"\x01\x03", b""])), max_size=30
    )
)
def test_any_bytes_do_no_harm(pieces: list[bytes]) -> None:
    reply = modbus_rtu.Values(QUESTION)
    for piece in pieces:
        try:
            assert reply.take(piece) in (None, bytes(4) + NUMBER)
        except BadFrame:
            break
        assert len(vars(reply)["_heard"]) <= 300
    assert isinstance(reply.missing(), BadFrame)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("heard", "reason"),
    [
        (b"", "timeout"),
        (QUESTION, "timeout"),
        (REPLY[:9], "timeout"),
        (QUESTION + REPLY[:9], "timeout"),
        (b"\x01", "timeout"),
        (REPLY[:-1] + b"\x00", "checksum"),
        (b"\x02" + REPLY[1:], "noise"),
        (b"\x01\x04" + REPLY[2:], "noise"),
        (b"\xfe\x80\x98", "noise"),
        (bytes.fromhex("018302c0f1"), "refused"),
        (bytes.fromhex("018302c0f2"), "noise"),
    ],
)
def test_faults_are_named(heard: bytes, reason: str, cut: Callable[[bytes], list[bytes]]) -> None:
    reply = modbus_rtu.Values(QUESTION)
    try:
        assert [reply.take(piece) for piece in [*cut(heard), b""]] == [None] * (len(cut(heard)) + 1)
        fault = reply.missing()
    except BadFrame as error:
        fault = error
    assert fault.reason == reason
