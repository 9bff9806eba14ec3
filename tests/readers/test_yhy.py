"""YHY modules: the 00 after each AA, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.readers.yhy import Framer, Options, cards, connect, frame, parse
from gateway.errors import BadFrame
from tests.readers.emulated import YhyModule
from tests.wire import CUTS, Tty, faults, play, read_for
from tests.wire import cards as told

GOOD = bytes.fromhex("aabb06203d986201e0")


@pytest.mark.parametrize("uid", ["3D986201", "AABBAA12", "AAAAAAAA", "00AA00AA", "0000008C", "04AA1122334455"])
@pytest.mark.parametrize("cut", CUTS)
def test_any_uid_passes(uid: str, cut: Callable[[bytes], list[bytes]]) -> None:
    wire = YhyModule.frame(b"\x20" + bytes.fromhex(uid))
    results = play(Framer(), cut(b"\x00" + wire + wire))
    assert (told(results), faults(results)) == ([f"hex:{uid}"] * 2, [])


def test_a_check_byte_of_aa_has_its_00_too() -> None:
    wire = YhyModule.frame(b"\x20\x00\x00\x00\x8c")
    assert wire.endswith(b"\xaa\x00")
    framer = Framer()
    assert told(framer.feed(wire[:-1])) == ["hex:0000008C"]
    assert framer.feed(wire[-1:] + GOOD) != []
    assert framer.silence() == []


def test_a_stuffed_card_comes_through_the_port() -> None:
    with Tty() as tty, YhyModule(tty) as module:
        reader = connect(Options(port=tty.path))
        module.card = bytes.fromhex("AABBAA12")
        assert set(told(read_for(reader, 0.3))) == {"hex:AABBAA12"}
        reader.close()


def test_it_is_told_to_speak_only_when_asked() -> None:
    with Tty() as tty, YhyModule(tty) as module:
        reader = connect(Options(port=tty.path))
        assert [body.hex() for body in module.asked[:2]] == ["03130010", "022022"]
        reader.close()


def test_a_module_that_does_not_know_that_is_there_all_the_same() -> None:
    with Tty() as tty, YhyModule(tty) as module:
        module.knows_sense_mode = False
        reader = connect(Options(port=tty.path))
        module.card = b"\x01\x02\x03\x04"
        assert told(read_for(reader, 0.3))
        reader.close()


@pytest.mark.parametrize(
    ("carried", "found"),
    [("203D986201", ["hex:3D986201"]), ("DF", []), ("20", None), ("13", None), ("EC", None), ("51" + "00" * 16, None)],
)
def test_only_the_answer_to_the_question_counts(carried: str, found: list[str] | None) -> None:
    answer = cards(bytes.fromhex(carried))
    assert (answer if answer is None else told(answer)) == found


@pytest.mark.parametrize("carried", ["2001", "20010203", "200102030405", "20" + "01" * 16])
def test_no_uid_has_such_a_length(carried: str) -> None:
    with pytest.raises(BadFrame) as caught:
        cards(bytes.fromhex(carried))
    assert caught.value.reason == "length"


@pytest.mark.parametrize("body", [b"", b"\x02", b"\x06\x20\x01\x27", b"\x02\x20\x22\x00"])
def test_a_body_has_the_length_it_says(body: bytes) -> None:
    with pytest.raises(BadFrame) as caught:
        parse(body)
    assert caught.value.reason == "length"


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("wire", "expected", "wrong"),
    [
        (GOOD[:6] + GOOD, ["hex:3D986201"], ["resync"]),
        (GOOD[:5] + b"\xaa\x17" + GOOD, ["hex:3D986201"], ["framing"]),
        (GOOD[:5] + b"\xaa" + GOOD, ["hex:3D986201"], ["framing"]),
        (GOOD[:7], [], ["timeout"]),
        (b"\xaa\xbb\x01" + GOOD, ["hex:3D986201"], ["length"]),
        (b"\xaa\xbb\xf0" + GOOD, ["hex:3D986201"], ["length"]),
        (b"\xbb\xaa\x00\xaa" + GOOD, ["hex:3D986201"], []),
        (GOOD[:-1] + b"\xe1" + GOOD, ["hex:3D986201"], ["checksum"]),
        (frame(0x20), [], []),
    ],
)
def test_frames_are_found(
    wire: bytes, expected: list[str], wrong: list[str], cut: Callable[[bytes], list[bytes]]
) -> None:
    results = play(Framer(), cut(wire))
    assert (told(results), faults(results)) == (expected, wrong)
