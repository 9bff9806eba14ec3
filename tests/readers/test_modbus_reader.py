"""Modbus readers: what lies in registers, and how a board tells that a card came."""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers import dialogue
from drivers.polled_reader import PolledReader
from drivers.readers import modbus_reader
from drivers.readers.modbus_reader import Options, connect, parse
from drivers.shared_port import SharedPort
from gateway.errors import BadFrame, DeviceLost
from tests.readers.emulated import ModbusLine
from tests.wire import Tty, cards, faults, read_for

NUMBER = bytes.fromhex("B0864D25")
CARD = "hex:B0864D25"


def options(port: str = "/dev/ttyUSB0", **more: Any) -> Options:
    return Options.model_validate({"port": port, "first_register": 6, "count": 2, "format": "hex", **more})


@contextmanager
def reading(number: bytes = b"", **more: Any) -> Iterator[tuple[ModbusLine, PolledReader]]:
    """A board with that number in its registers from the beginning."""
    with Tty() as tty, ModbusLine(tty) as line:
        line.show(number)
        reader = connect(options(tty.path, poll_s=0.05, **more))
        yield line, reader
        reader.close()


def outcome(registers: str, given: Options) -> str | None:
    """The card as in a roster file, or the reason of the bad frame."""
    try:
        found = parse(bytes.fromhex(registers), given)
    except BadFrame as error:
        return error.reason
    return found and found.written()


# ── what lies in the registers ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("registers", "more", "card"),
    [
        ("B0864D25", {}, CARD),
        ("86B0254D", {"byte_order": "BADC"}, CARD),
        ("4D25B086", {"byte_order": "CDAB"}, CARD),
        ("254D86B0", {"byte_order": "DCBA"}, CARD),
        ("00000000B0864D25", {"count": 4, "size": 4}, CARD),
        ("B0864D2500000000", {"count": 4, "skip": 0, "size": 4}, CARD),
        ("0001B0864D250000", {"count": 4, "skip": 2, "size": 4}, CARD),
        ("047BCB5196228000", {"count": 4, "skip": 0, "size": 7}, "hex:047BCB51962280"),
        ("006200E3086CED", {"count": 4, "format": "em4100"}, "length"),
        ("00000062E3086CED", {"count": 4, "format": "em4100"}, "em4100:62E3086CED"),
        ("00086CED", {"format": "w26"}, "w26:8-27885"),
        ("B0864D25", {"format": "w26", "skip": 1}, "w26:134-19749"),
        ("B0864D25", {"format": "w26"}, "range"),
        ("6B3D12D6", {"format": "w34"}, "w34:27453-4822"),
        ("0007FFFFFFFF", {"count": 3, "format": "w37"}, f"w37:{(8 << 32) - 1}"),
        ("0008FFFFFFFF", {"count": 3, "format": "w37"}, "range"),
        ("008E6D5D", {"format": "dec10"}, "dec10:0009334109"),
        ("00000000", {}, None),
        ("FFFFFFFF", {}, None),
        ("FFFFFFFFFFFFFFFF", {"count": 4, "format": "em4100"}, None),
        ("0001000000000000", {"count": 4, "skip": 2, "size": 4}, None),
        ("0001000000000000", {"count": 4, "size": 4}, "range"),
    ],
)
def test_numbers(registers: str, more: dict[str, Any], card: str | None) -> None:
    assert outcome(registers, options(**more)) == card


@given(st.binary(max_size=40), st.sampled_from(["hex", "em4100", "w26", "w34", "w37", "dec10"]))
def test_any_registers_are_a_card_or_none_or_a_bad_frame(registers: bytes, form: str) -> None:
    found = outcome(registers.hex(), options(count=3, format=form))
    assert found in {None, "length", "range"} or found.startswith(form)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"count": 1, "format": "em4100"}, "2 bytes, too few"),
        ({"skip": 4}, "4 bytes, too few"),
        ({"skip": 2, "size": 3}, "4 bytes, too few"),
        ({"format": "w26", "size": 4}, "a number of w26 has 3 bytes"),
        ({"latched": True, "flag": 3}, "only one of"),
        ({"counter": 2, "flag": 3}, "only one of"),
        ({"baud": 300}, "take too long"),
        ({"count": 17}, "less than or equal to 16"),
        ({"function": 5}, "3 or 4"),
        ({"byte_order": "ABDC"}, "ABCD"),
        ({"address": 0}, "greater than"),
        ({"format": "rfid"}, "hex"),
        ({"register": 6}, "register"),
    ],
)
def test_options_that_cannot_work(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        options(**wrong)


def test_the_example_of_the_guide_reads_the_card_it_means() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "drivers.md").read_text(encoding="utf-8")
    (example,) = (block for block in re.findall(r"```toml\n(.*?)```", guide, re.DOTALL) if "modbus-reader" in block)
    every = re.sub(r"(?m)^# (?=\w+ =)", "", example)  # what is commented out, too
    for text in (example, re.sub(r"(?m)^(latched|counter) .*\n", "", every)):
        table = tomllib.loads(text)["readers"]["lobby"]
        given = Options.model_validate({key: table[key] for key in table if key not in ("driver", "point")})
        assert outcome("86B0254D", given) == CARD


# ── when a card counts ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "more", [{}, {"latched": True}, {"counter": 2}, {"flag": 3}, {"flag": 1016, "flag_is": "coil"}]
)
def test_what_stands_there_at_the_first_look_opens_nothing(more: dict[str, Any]) -> None:
    with Tty() as tty, ModbusLine(tty) as line:
        line.show(NUMBER)
        line.registers[1][2] = line.registers[1][3] = 1
        line.coils[1][1016] = True
        reader = connect(options(tty.path, poll_s=0.05, **more))
        assert read_for(reader, 0.5) == []
        reader.close()


def test_a_number_that_stood_there_counts_once_it_had_gone() -> None:
    with reading(NUMBER) as (line, reader):
        assert read_for(reader, 0.3) == []
        line.show(bytes(4))
        assert read_for(reader, 0.3) == []
        line.show(NUMBER)
        assert set(cards(read_for(reader, 0.3))) == {CARD}


def test_another_number_than_the_one_that_stood_there_counts_at_once() -> None:
    with reading(NUMBER) as (line, reader):
        line.show(b"\x01\x02\x03\x04")
        assert set(cards(read_for(reader, 0.3))) == {"hex:01020304"}


@pytest.mark.parametrize("more", [{}, {"latched": True}, {"counter": 2}, {"flag": 3}])
def test_a_number_that_came_while_the_box_was_frozen_within_a_look_opens_nothing(
    more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with reading(**more) as (line, reader):
        read_for(reader, 0.2)
        frozen, began = iter([2.2]), time.monotonic()

        def freeze(*question: Any) -> Any:
            answer = dialogue.ask(*question)
            if seconds := next(frozen, None):
                line.registers[1].update({2: 7, 3: 1})
                line.show(NUMBER)
                time.sleep(seconds)
            return answer

        monkeypatch.setattr(modbus_reader, "ask", freeze)
        results = list[Any]()
        while time.monotonic() < began + 3.5:
            results += reader.read()
        assert cards(results) == []


def test_a_latched_number_is_told_once() -> None:
    with reading(latched=True) as (line, reader):
        line.show(NUMBER)
        assert cards(read_for(reader, 0.5)) == [CARD]
        line.show(b"\x01\x02\x03\x04")
        assert cards(read_for(reader, 0.3)) == ["hex:01020304"]
        line.show(bytes(4))
        assert cards(read_for(reader, 0.2)) == []
        line.show(b"\x01\x02\x03\x04")
        assert cards(read_for(reader, 0.3)) == ["hex:01020304"]


def test_a_counter_tells_the_same_card_again() -> None:
    with reading(NUMBER, counter=2) as (line, reader):
        assert read_for(reader, 0.3) == []
        for _ in range(2):
            line.registers[1][2] += 1
            assert cards(read_for(reader, 0.3)) == [CARD]


@pytest.mark.parametrize(("more", "place"), [({"flag": 3}, "registers"), ({"flag": 1016, "flag_is": "coil"}, "coils")])
def test_a_flag_is_lowered_and_tells_the_same_card_again(more: dict[str, Any], place: str) -> None:
    with reading(**more) as (line, reader):
        where, at = getattr(line, place)[1], more["flag"]
        line.show(NUMBER)
        assert read_for(reader, 0.2) == []
        for _ in range(2):
            where[at] = 1
            assert cards(read_for(reader, 0.3)) == [CARD]
            assert not where[at]


def test_a_flag_that_cannot_be_lowered_tells_its_card_once_and_then_the_fault() -> None:
    with reading(flag=3) as (line, reader):
        line.show(NUMBER)
        line.registers[1][3], line.refuses_orders = 1, True
        results: list[Any] = []
        with pytest.raises(DeviceLost, match="refuses with code 2"):
            read_for(reader, 30, results)
        assert cards(results) == [CARD]
        assert set(faults(results)) == {"refused"}


def test_a_flag_whose_order_is_not_confirmed_once_is_lowered_again() -> None:
    with reading(flag=3) as (line, reader):
        line.show(NUMBER)
        line.spoil = lambda answer: [b"" if answer[1] == 6 else answer]
        line.registers[1][3] = 1
        results: list[Any] = []
        while not faults(results):
            results += read_for(reader, 0.05)
        line.spoil = lambda answer: [answer]
        assert cards([*results, *read_for(reader, 0.4)]) == [CARD]


def test_a_card_after_a_long_gap_on_the_line_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who showed it may have walked on."""
    monkeypatch.setattr("drivers.readers.modbus_reader._STALE_S", 0.4)
    with reading(flag=3) as (line, reader):
        with SharedPort(line.path, 9600).turn():
            line.show(NUMBER)
            line.registers[1][3] = 1
            assert read_for(reader, 0.5) == []
        assert read_for(reader, 0.3) == []
        assert not line.registers[1][3]


def test_a_card_too_long_for_its_format_loses_nobody() -> None:
    """A stranger's card lying there must not take the reader from the others."""
    with reading(format="w26") as (line, reader):
        line.show(NUMBER)
        assert set(faults(read_for(reader, 1.0))) == {"range"}
        line.show(b"\x00\x08\x6c\xed")
        assert set(cards(read_for(reader, 0.3))) == {"w26:8-27885"}
