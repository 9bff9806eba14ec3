"""PN532: how it is woken, what its frames are, and which of its answers count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.readers.pn532 import Framer, Options, answering, cards, connect, parse
from gateway.errors import BadFrame, DeviceLost
from gateway.text import Language
from tests.readers.emulated import Pn532Chip
from tests.wire import CUTS, Tty, faults, play, read_for
from tests.wire import cards as told

ACK = bytes.fromhex("0000ff00ff00")
GOOD = bytes.fromhex("0000ff0cf4d54b010100040804b0864d252600")
NONE = bytes.fromhex("0000ff03fdd54b00e000")
REFUSED = bytes.fromhex("0000ff01ff7f8100")
ATS = bytes.fromhex("107880900220900000000000fde60899")


def test_it_is_woken_known_and_told_to_answer_soon() -> None:
    with Tty() as tty, Pn532Chip(tty) as chip:
        reader = connect(Options(port=tty.path))
        assert [body.hex() for body in chip.asked] == ["d41401", "d402", "d43205ff0101"]
        assert read_for(reader, 0.3) == []
        assert {body.hex() for body in chip.asked[3:]} == {"d44a0100"}
        reader.close()


@pytest.mark.parametrize("uid", ["B0864D25", "047BCB51962280", "04112233445566778899"])
@pytest.mark.parametrize("ats", [b"", ATS])
def test_uids_of_every_length_with_and_without_what_follows(uid: str, ats: bytes) -> None:
    with Tty() as tty, Pn532Chip(tty) as chip:
        reader = connect(Options(port=tty.path))
        chip.card, chip.ats = bytes.fromhex(uid), ats
        assert set(told(read_for(reader, 0.3))) == {f"hex:{uid}"}
        reader.close()


def test_another_chip_is_none() -> None:
    with Tty() as tty, Pn532Chip(tty) as chip:
        chip.ic = 0x33
        with pytest.raises(DeviceLost, match="is no PN532") as caught:
            connect(Options(port=tty.path))
        assert "HSU" in caught.value.say(Language.ZH)
        assert "HSU" in caught.value.say(Language.EN)


def test_a_command_that_is_not_understood_is_told() -> None:
    with Tty() as tty, Pn532Chip(tty) as chip:
        reader = connect(Options(port=tty.path))
        chip.spoil = lambda answer: [answer if answer == ACK else REFUSED]
        assert set(faults(read_for(reader, 0.3))) == {"refused"}
        chip.spoil = lambda answer: [answer]
        chip.card = b"\x01\x02\x03\x04"
        assert told(read_for(reader, 0.3))
        reader.close()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ([ACK, GOOD], ["hex:B0864D25"]),
        ([ACK, NONE], []),
        ([GOOD], None),
        ([NONE, ACK], None),
        ([GOOD, ACK, NONE], []),
        ([ACK, bytes.fromhex("0000ff02fed533f800"), GOOD], ["hex:B0864D25"]),
        ([bytes.fromhex("0000ff04fcd44a0100e100"), ACK], None),
        ([ACK], None),
    ],
)
def test_only_what_follows_the_ack_answers(said: list[bytes], answer: list[str] | None) -> None:
    look = answering(0x4A, cards)
    answers = [found for frame in said if (found := look(parse(frame))) is not None]
    assert [told(found) for found in answers[:1]] == ([] if answer is None else [answer])


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (GOOD[:3] + b"\x0c\xf5" + GOOD[5:], "checksum"),
        (GOOD[:-2] + b"\x27\x00", "checksum"),
        (GOOD[:-1] + b"\x01", "framing"),
        (GOOD[:-1], "length"),
        (b"\x00\x00\xfe" + GOOD[3:], "framing"),
        (b"\x00\x00\xff\x00\x00\x00\x00", "length"),
        (b"", "framing"),
    ],
)
def test_faults_are_named(wire: bytes, reason: str) -> None:
    with pytest.raises(BadFrame) as caught:
        parse(wire)
    assert caught.value.reason == reason
    assert "B086" not in str(caught.value).upper()


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ("", "range"),
        ("02010004080401020304", "range"),
        ("0101000408", "range"),
        ("010100040804010203", "length"),
        ("0101000408050102030405", "length"),
        ("010100040800", "length"),
    ],
)
def test_what_is_no_target_is_no_card(listed: str, reason: str) -> None:
    with pytest.raises(BadFrame) as caught:
        cards(bytes.fromhex(listed))
    assert caught.value.reason == reason


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("wire", "expected", "wrong"),
    [
        (b"\x00\x00\x00\x00" + ACK + GOOD + b"\x00\x00" + GOOD, ["hex:B0864D25"] * 2, []),
        (b"\xff\x55\x00" + GOOD, ["hex:B0864D25"], []),
        (GOOD[:9] + GOOD, ["hex:B0864D25"], ["checksum"]),
        (GOOD[:9], [], ["timeout"]),
        (b"\x00\x00\xff\xff\xff\x01\x09" + GOOD, ["hex:B0864D25"], ["checksum"]),
        (b"\x00\x00\xff\xf0\x10\xd5" + GOOD, ["hex:B0864D25"], ["length"]),
        (ACK + NONE + REFUSED, [], []),
    ],
)
def test_frames_are_found(
    wire: bytes, expected: list[str], wrong: list[str], cut: Callable[[bytes], list[bytes]]
) -> None:
    results = play(Framer(), cut(wire))
    assert (told(results), faults(results)) == (expected, wrong)


@pytest.mark.parametrize("wrong", [{"poll_s": 0.01}, {"poll_s": 2}, {"poll": 0.1}, {"baud": 9}])
def test_options_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"port": "/dev/ttyUSB0", **wrong})
