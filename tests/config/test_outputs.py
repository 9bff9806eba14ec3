"""OSDP in the configuration: keys, shared lines, and outputs that name their reader."""

from __future__ import annotations

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from drivers.osdp.keys import SCBK_D
from gateway.cli import cli
from gateway.config import load
from gateway.extras import install
from gateway.registry import connector
from gateway.text import Language
from tests.config.writing import SMALL, faults, written

OSDP = """
[readers.osdp-reader]
driver = "osdp"
port = "/dev/ttyUSB7"
scbk_file = "reader.key"
point = "east-door"
"""
OUTPUT = """
[actuators.lock]
driver = "osdp-output"
reader = "osdp-reader"
"""
LOBBY = """
[points.lobby]
name = "lobby"
kind = "pedestrian"
direction = "in"
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def key(tmp_path: Path) -> Path:
    path = tmp_path / "reader.key"
    path.write_text("9f86d081 884c7d65 9a2feaa0 c55ad015\n", encoding="ascii")
    return path


def test_a_reader_with_its_key_and_its_output(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL + OSDP + OUTPUT))
    assert settings.readers["osdp-reader"].options["scbk_file"] == str(tmp_path / "reader.key")
    assert settings.actuators["lock"].options == {"reader": "osdp-reader"}
    connect = connector("actuator", settings.actuators["lock"], settings.readers)
    with pytest.raises(Exception, match="/dev/ttyUSB7"):  # it knows its reader's port
        connect()


@pytest.mark.parametrize(
    ("written_key", "why"),
    [
        (SCBK_D.hex(), "SCBK-D, the published key"),
        ("00" * 15, "32 hexadecimal digits"),
        ("zz" * 16, "32 hexadecimal digits"),
        ("", "32 hexadecimal digits"),
    ],
)
def test_a_key_that_is_none(tmp_path: Path, key: Path, written_key: str, why: str) -> None:
    key.write_text(written_key, encoding="ascii")
    (said,) = faults(tmp_path, SMALL + OSDP)
    assert said.startswith("23: readers.osdp-reader.scbk_file: ")
    assert why in said
    assert written_key not in said or not written_key


def test_a_key_in_another_encoding_is_no_key(tmp_path: Path, key: Path) -> None:
    key.write_bytes(b"\xff\xfe9\x00f\x00")
    assert any("32 hexadecimal digits" in line for line in faults(tmp_path, SMALL + OSDP))


@pytest.mark.usefixtures("humble")
def test_a_key_that_only_the_service_may_read_is_not_judged(tmp_path: Path, key: Path) -> None:
    key.write_text("nonsense", encoding="ascii")
    key.chmod(0)
    os.chown(key, 1, 1)
    assert "osdp-reader" in load(written(tmp_path, SMALL + OSDP)).readers


def test_in_clear_only_where_it_is_said(tmp_path: Path) -> None:
    without = OSDP.replace('scbk_file = "reader.key"\n', "")
    (said,) = faults(tmp_path, SMALL + without)
    assert "scbk_file is missing" in said
    assert "secure = false" in said
    (said,) = faults(tmp_path, SMALL + OSDP + "secure = false\n")
    assert "take one of them away" in said
    (said,) = faults(tmp_path, SMALL + OSDP.replace("reader.key", "none.key"))
    assert "there is no file" in said
    config = written(tmp_path, SMALL + without + "secure = false\n")
    result = CliRunner().invoke(cli, ["check", "--config", str(config)])
    assert result.exit_code == 0
    assert "note, reader osdp-reader: secure = false: its cards cross the wire in clear" in result.output
    told = json.loads(CliRunner().invoke(cli, ["check", "--json", "--config", str(config)]).output)
    assert told["ok"]
    assert "in clear" in told["notes"][0]


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ("", "readers.second.address: is the same reader as readers.osdp-reader"),
        ("address = 1\nbaud = 19200\n", "readers.second.baud: 19200 is not the baud of readers.osdp-reader"),
        ("address = 127\n", "readers.second.address: 127 is out of range"),
    ],
)
def test_readers_that_cannot_share_a_line(tmp_path: Path, second: str, why: str) -> None:
    other = OSDP.replace("osdp-reader", "second").replace("reader.key", "second.key") + second
    (tmp_path / "second.key").write_text("00112233445566778899aabbccddeeff", encoding="ascii")
    (said,) = faults(tmp_path, SMALL + OSDP + other)
    assert why in said


def test_readers_that_share_a_line(tmp_path: Path) -> None:
    other = OSDP.replace("osdp-reader", "second") + "address = 1\n"
    assert len(load(written(tmp_path, SMALL + OSDP + other)).readers) == 3


@pytest.mark.parametrize(
    ("reader", "why"),
    [
        ("osdp-raeder", "there is no reader 'osdp-raeder'; allowed: osdp-reader. Did you mean 'osdp-reader'?"),
        ("east-reader", "the driver of reader 'east-reader' is rdm6300, it must be osdp; allowed: osdp-reader"),
    ],
)
def test_an_output_of_no_osdp_reader(tmp_path: Path, reader: str, why: str) -> None:
    (said,) = faults(tmp_path, SMALL + OSDP + OUTPUT.replace('"osdp-reader"', f'"{reader}"'))
    assert said.startswith("28: actuators.lock.reader: ")
    assert why in said


def test_an_output_is_named_once(tmp_path: Path) -> None:
    again = OUTPUT.replace("lock", "again")
    (said,) = faults(tmp_path, SMALL + OSDP + OUTPUT + again + "output = 0\n")
    assert "is the same output as actuators.lock; change reader / output, or let both points name lock" in said
    assert len(load(written(tmp_path, SMALL + OSDP + OUTPUT + again + "output = 1\n")).actuators) == 2


def test_an_output_opens_for_no_longer_than_it_can(tmp_path: Path) -> None:
    wide = SMALL.replace('direction = "in"', 'direction = "in"\nactuator = "lock"\nopen_s = 28')
    (said,) = faults(tmp_path, wide + OSDP + OUTPUT)
    assert "points.east-door.open_s: 28 is longer than lock can stay on, 25.0 s" in said
    load(written(tmp_path, wide.replace("28", "25") + OSDP + OUTPUT))


@pytest.mark.parametrize("source", ["config/gateway.toml", "docs/drivers.md"])
def test_an_example_can_be_taken_as_it_stands(tmp_path: Path, source: str) -> None:
    text = (ROOT / source).read_text(encoding="utf-8")
    if source.endswith(".md"):
        (example,) = (block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if '"osdp"' in block)
    else:
        blocks = re.findall(r"(?m)^# \[\w+\.lobby-.*\n(?:# .*\n)+", text)
        example = re.sub(r"(?m)^# ", "", "\n".join(blocks))
    (tmp_path / "reader.key").rename(tmp_path / "lobby.key")
    settings = load(written(tmp_path, SMALL + LOBBY + example))
    assert settings.actuators["lobby-lock"].options["reader"] in settings.readers


def test_without_libosdp_the_rest_goes_on_and_check_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(name: str) -> object:
        return None if name == "osdp_sys" else find_spec(name)

    monkeypatch.setattr("drivers.osdp.share.find_spec", without)
    config = written(tmp_path, SMALL + OSDP)
    result = CliRunner().invoke(cli, ["check", "--config", str(config)])
    assert result.exit_code == 0
    assert install("osdp") in result.output
    live = CliRunner().invoke(cli, ["check", "--live", "--config", str(config)])
    assert live.exit_code == 1
    (line,) = (line for line in live.output.splitlines() if "✘" in line and "osdp-reader" in line)
    assert install("osdp") in line
    settings = load(config)
    with pytest.raises(Exception, match="not installed") as caught:
        connector("reader", settings.readers["osdp-reader"], {})()
    assert "compound-gateway[osdp]" in caught.value.say(Language.ZH)  # type: ignore[attr-defined]
