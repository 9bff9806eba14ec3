"""The lines between the two processes: what is written comes back, and nothing else is believed."""

from __future__ import annotations

import json
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import now
from gateway.errors import BadFrame
from gateway.text import printable
from gateway.types import Box, DeviceStatus, Direction, FaceSeen, PictureDone, Plate, PlateSeen, Shot, ShotKind
from gateway.wire import (
    MOST_BYTES,
    Beat,
    CameraBeat,
    DeviceReport,
    Hello,
    LooksAt,
    Message,
    RecogniserFault,
    Settle,
    decode,
    encode,
)

PLATE = Plate("鄂A12345", "鄂A·12345", "02", "5", 0.93, (0.99,) * 6 + (0.91,))
MESSAGES: list[Message] = [
    Hello(42),
    Beat(1 << 28, {"cam": CameraBeat(0.04, 4.8), "other": CameraBeat(None, 0.0)}, {"camera.cam.unreadable": 3}),
    DeviceReport("cam", DeviceStatus.OFFLINE, "摄像机没有应答（检查网线）"),
    RecogniserFault("plate", "there is no model"),
    PlateSeen(
        "gate",
        "cam",
        now(),
        PLATE,
        3,
        Box(1, 2, 3.5, 4),
        first_seen=now(),
        last_seen=now(),
        direction=Direction.OUT,
        shots=(Shot(ShotKind.PLATE, b"\xff\xd8\xff\xfe\x00>>>???"),),
        source_file="a.jpg",
        token=7,
        origin="cam/a.jpg/1/2/0",
    ),
    PlateSeen("gate", "cam", now(), None, 0),
    FaceSeen("door", "cam", now(), "h:0123456789abcdef", 0.61, 0.55, 24, "low", "none", 2),
    PictureDone("gate", "cam", now(), "a.jpg", 3, "the file is empty", "cam/a.jpg/0/1/0"),
    Settle("cam", 9),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert decode(line) == message


def changed(message: Message, **fields: object) -> bytes:
    kind, body = next(iter(json.loads(encode(message)).items()))
    return json.dumps({kind: {**body, **fields}}, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"hello\n",
        b"{}\n",
        b'{"hello":{"pid":1}}',  # cut off
        b'{"hello":{"pid":1},"beat":{}}\n',
        b'{"hello":{"pid":"1"}}\n',
        b'{"hello":{"pid":1,"face_image":"AAAA"}}\n',
        b'{"hello": {"pid":1}}\n',
        b'{"goodbye":{"pid":1}}\n',
        b"\xff\xfe\x00" * 10 + b"\n",
        b'{"hello":' * 5000 + b"\n",
        changed(MESSAGES[4], reads=-1),
        changed(MESSAGES[4], reads=2.0),
        changed(MESSAGES[4], crop="AAAA"),
        changed(MESSAGES[4], source_file="x" * 5000),
        changed(MESSAGES[6], similarity=1e9),
        changed(MESSAGES[4], plate={"number": "鄂A12345"}),
        changed(MESSAGES[4], last_seen={"time": "2026-11-22T08:00:00", "mono": 1.0, "trust": "synced"}),
        changed(MESSAGES[6], stamp={"time": "9999-12-31T23:59:59Z", "mono": 1.0, "trust": "synced"}),
        changed(MESSAGES[7], stamp={"time": "2026-11-22T08:00:00Z", "mono": 1e300, "trust": "synced"}),
    ],
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(BadFrame):
        decode(line)


def test_a_still_may_be_looked_at_whatever_its_file_is_called() -> None:
    """What is neither UTF-8 nor GBK is six characters a byte; refused, it ended recognition at each try, for ever."""
    name = printable(os.fsdecode(b"\xff" * 251 + b".jpg"))
    message = LooksAt("cam", f"{name}/{1 << 25}/{time.time_ns()}")
    assert decode(encode(message)) == message


def test_a_confidence_beyond_certainty_is_refused() -> None:
    body = json.loads(encode(MESSAGES[4]))["plate"]["plate"]
    with pytest.raises(BadFrame):
        decode(changed(MESSAGES[4], plate={**body, "confidence": 1.5}))


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(BadFrame):
        decode(noise + b"\n")


@pytest.mark.parametrize("fault", ["too large", "twice", "not base64"])
def test_pictures_are_bounded_and_one_of_a_kind(fault: str) -> None:
    shot = Shot(ShotKind.PLATE, b"\xff\xd8" + bytes(MOST_BYTES[ShotKind.PLATE] if fault == "too large" else 8))
    line = encode(PlateSeen("gate", "cam", now(), PLATE, 3, shots=(shot, shot) if fault == "twice" else (shot,)))
    with pytest.raises(BadFrame):
        decode(line.replace(b"_9g", b"/9g", 1) if fault == "not base64" else line)
