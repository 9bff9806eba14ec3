"""The replay reader: a recording with its times, through the framer of any pushing reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from drivers.readers.replay import Options, connect, parse_recording
from gateway.errors import DeviceLost
from tests.standstill import awake
from tests.wire import Results, cards, faults


def played(path: Path, seconds: float, **options: object) -> tuple[Results, float]:
    """Everything read within `seconds`, and the longest that one read took."""
    reader = connect(Options.model_validate({"path": path, **options}))
    end = awake() + seconds
    results: list[object] = []
    longest = 0.0
    while (start := awake()) < end:
        results += reader.read()
        longest = max(longest, awake() - start)
    reader.close()
    return results, longest  # type: ignore[return-value]


def test_pieces_join_and_silence_parts_them(tmp_path: Path) -> None:
    recording = tmp_path / "east.rec"
    recording.write_text(
        "# a tag, and half of one\n0.00 0236324533\n\n0.05 30 38 36 43 45 44 30 38 03\n0.10 02363245\n0.31 33303803\n"
    )
    results, longest = played(recording, 1.2)
    assert cards(results) == ["em4100:62E3086CED"]
    assert faults(results) == ["timeout"]
    assert longest <= 0.6


def test_another_protocol_with_its_settings(tmp_path: Path) -> None:
    recording = tmp_path / "line.rec"
    recording.write_text(f"0 {b'NO 0009334109'.hex()}\n0.02 0d\n")
    results, _ = played(recording, 0.3, protocol="line", settings={"pattern": r"NO (?P<dec>\d+)", "end": "cr"})
    assert cards(results) == ["dec10:0009334109"]


def test_a_polled_reader_is_played_by_its_answers(tmp_path: Path) -> None:
    recording = tmp_path / "lobby.rec"
    recording.write_text(
        "0 0000ff00ff00\n0.02 0000ff0cf4d54b010100040804b0864d252600\n0.3 0000ff00ff000000ff03fdd54b00e000\n"
    )
    results, _ = played(recording, 0.6, protocol="pn532")
    assert (cards(results), faults(results)) == (["hex:B0864D25"], [])


def test_em18_needs_the_silence_at_the_end(tmp_path: Path) -> None:
    recording = tmp_path / "em18.rec"
    recording.write_text(f"0 {b'4500C5D1E9B8'.hex()}\n")
    results, _ = played(recording, 0.3, protocol="em18")
    assert cards(results) == ["em4100:4500C5D1E9"]


@pytest.mark.parametrize("text", ["x 02", "0 0g", "0", "-1 02", "nan 02", "1 02\n0 03"])
def test_a_recording_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    recording = tmp_path / "bad.rec"
    recording.write_text(f"# first\n{text}\n")
    with pytest.raises(DeviceLost, match=r"line [23]: .*seconds, then bytes"):
        connect(Options(path=recording))


def test_a_missing_recording_is_a_lost_device(tmp_path: Path) -> None:
    with pytest.raises(DeviceLost, match=r"nowhere\.rec"):
        connect(Options(path=tmp_path / "nowhere.rec"))


def test_an_empty_recording_is_silence() -> None:
    assert not parse_recording("# nothing\n\n")


@pytest.mark.parametrize(
    "wrong", [{"protocol": "rdm630"}, {"protocol": "replay"}, {"protocol": "line"}, {"settings": {"baud": "x"}}]
)
def test_what_cannot_be_played_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"path": "x.rec", **wrong})
