"""The configuration file as operators write it, right and wrong."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from gateway.config import ConfigFaults, load
from gateway.config.faults import from_pydantic
from gateway.config.lines import Lines
from gateway.registry import SECTIONS, load_driver, names
from gateway.settings import (
    Camera,
    Commands,
    Face,
    Gateway,
    Journal,
    PlateReading,
    Point,
    Reader,
    Settings,
    Site,
    Uplink,
    Vision,
)
from gateway.text import Language
from tests.config.writing import FACE, LAW, SMALL, faults, written

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config" / "gateway.toml"


def test_the_shipped_example_is_right() -> None:
    settings = load(EXAMPLE)
    assert settings.readers["east-reader"].options == {
        "port": "/dev/serial/by-id/usb-1a86_USB2.0-Serial-if00-port0",
        "baud": 9600,
    }
    assert settings.journal.retain.access == 180 * 86400
    assert settings.journal.max_bytes == 2 << 30
    assert settings.uplinks["city"].tls
    assert not settings.face.enabled


def test_the_shipped_example_explains_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    tables = (Site, Gateway, Point, Reader, Camera, Face, PlateReading, Uplink, Journal, Commands, Vision)
    keys = {key for table in tables for key in table.model_fields} - {"options"}
    assert not {key for key in keys if not re.search(rf"^(# )?{key} = ", text, re.MULTILINE)}


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    assert load(written(tmp_path, SMALL)).gateway.data_dir == tmp_path / "data"


def test_settings_survive_the_way_to_the_vision_child(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL))
    assert type(settings).model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ('port = "/dev', 'prot = "/dev'),
            "17: readers.east-reader.prot: unknown key; allowed: baud, driver, hold_s, point, port. Did you",
        ),
        (('driver = "rdm6300"', 'driver = "rdm630"'), "16: readers.east-reader.driver:"),
        (('kind = "pedestrian"', 'kind = "pedestrain"'), "Did you mean 'pedestrian'?"),
        (('point = "east-door"', 'point = "est-door"'), "18: readers.east-reader.point: there is no point 'est-door'"),
        (('id = "box-1"', "id = 1"), "7: gateway.id: '1' has the wrong type, it must be text"),
        (('direction = "in"', ""), "10: points.east-door.direction: is missing"),
        (("[readers.", "[raeders."), "raeders: unknown key; allowed:"),
        (('language = "en"', 'language = "en"\ntimezone = "Mars"'), "IANA time zone"),
        (('compound_id = "fenglinwan"', 'compound_id = "枫"'), "2: site.compound_id:"),
        (('direction = "in"', 'direction = "in"\nactuator = "relay"'), "there is no actuator 'relay'"),
        (
            ('driver = "', 'drivr = "'),
            "16: readers.east-reader.drivr: unknown key; allowed: driver. Did you mean 'driver'?",
        ),
        (
            ('"/dev/ttyUSB0"', "2026-11-22"),
            "17: readers.east-reader.port: '2026-11-22' is a date or a time; words need quotes",
        ),
        (("[points.", '[plate]\nnev_class = "５２"\n[points.'), "plate.nev_class: '５２' will not do"),
        (('"fenglinwan"', f'"{"４２" * 10}"'), "2: site.compound_id: "),
        (('"fenglinwan"', "2026-11-22"), "2: site.compound_id: '2026-11-22' is a date or a time"),
    ],
)
def test_each_fault_names_line_key_and_fix(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    said = faults(tmp_path, SMALL.replace(*change))
    assert any(expected in line for line in said), said


def test_a_point_with_a_chinese_key_is_told_where_its_name_goes(tmp_path: Path) -> None:
    said = faults(tmp_path, SMALL.replace("[points.east-door]", '[points."东门"]'))
    assert any("'东门' will not do: it must be 1 to 32 letters" in line for line in said), said


def patterns(schema: object) -> set[str]:
    """Of all texts in a JSON Schema."""
    if isinstance(schema, list):
        return set().union(*map(patterns, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["pattern"]} if isinstance(schema.get("pattern"), str) else set()
    return own.union(schema.get("patternProperties", {}), *map(patterns, schema.values()))


def test_no_fault_shows_a_regular_expression() -> None:
    """Nobody in a property office reads them."""
    drivers = [load_driver(kind, name).Options for kind in SECTIONS.values() for name in names(kind)]
    found = set().union(*(patterns(model.model_json_schema()) for model in (Settings, *drivers)))
    assert len(found) >= 10
    for pattern in found:
        slip = InitErrorDetails(type="string_pattern_mismatch", loc=("x",), input="?", ctx={"pattern": pattern})
        ((_, said),) = from_pydantic(ValidationError.from_exception_data("x", [slip]), Settings)
        assert not any(pattern in said.say(language) for language in Language)


def test_every_fault_is_found_in_one_run(tmp_path: Path) -> None:
    text = SMALL.replace("pedestrian", "x").replace('point = "east-door"', 'point = "y"').replace("port =", "prot =")
    assert len(faults(tmp_path, text)) == 4  # kind, point, prot, and port that is missing


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('"in"', "in"), "13: 等号后的文字须加英文引号"),
        (('"in"', '"in'), "13: 引号没有成对"),
        (("direction =", "direction:"), "13: 键后须写等号 ="),
        (('direction = "in"', 'direction = "in"\n[site]'), "14: 此表已写过；"),
        (('direction = "in"', 'direction = "in"\nkind = "mixed"'), "14: 此键已写过；"),
        (('"/dev/ttyUSB0"', r'"C:\dev"'), r"17: 反斜杠须写作 \\，"),
        (('direction = "in"', 'direction = "in" kind = "x"'), "13: 一行只写一个键"),
    ],
)
def test_a_slip_in_the_writing_is_told_in_chinese_with_its_fix(
    tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    path = written(tmp_path, SMALL.replace('language = "en"', "").replace(*change))
    with pytest.raises(ConfigFaults) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:{expected}")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('language = "zh"', 'timezone = "UTC+8"'), "应如 Asia/Shanghai"),
        (('"/dev/ttyUSB0"', '""'), "readers.east-reader.port: 不能为空"),
        (('"/dev/ttyUSB0"', '"tcp://10.0.0.9:1"'), "应写作设备路径、"),
        (('"/dev/ttyUSB0"', '"socket://10.0.0.9:x"'), "应写作 socket://主机:端口"),
        (
            ('"rdm6300"', '"wiegand"\nreverse = true\nformat = "37-H10302"'),
            "east-reader: reverse 只能与 format 26 或 34 同用",
        ),
        (('"rdm6300"', "\"line\"\npattern = '('"), "不是有效的正则表达式"),
        (('"rdm6300"', "\"line\"\npattern = '.'"), "须用 (?P<hex>…), "),
        (
            ('"rdm6300"\nport = "/dev/ttyUSB0"', '"replay"\npath = "."\nprotocol = "x"'),
            "protocol “x”不可用；可用：rdm6300",
        ),
        (("[points", '[journal]\nretain = { access = "半年" }\nmax_bytes = "2G"\n[points'), "“半年”无效：请写时长"),
        (("[points", '[uplinks.city]\nhost = "mqtt://x"\n[points'), "只写域名或 IP，端口写在 port"),
        (
            ("[points", '[uplinks.city]\nhost = "x"\nproxy = "x"\nhosts = ["a b"]\n[points'),
            '应写作 "socks5://主机:端口"',
        ),
        (("[points", '[uplinks.city]\nhost = "x"\nbind_address = "x"\n[points'), "请写本机的 IP"),
    ],
)
def test_what_is_wrong_with_a_value_is_told_in_the_language_of_the_file(
    tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    with pytest.raises(ConfigFaults) as caught:
        load(written(tmp_path, SMALL.replace('language = "en"', 'language = "zh"').replace(*change)))
    assert any(expected in line for line in str(caught.value).splitlines()), str(caught.value)


def test_faults_read_in_the_language_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match="未知的键"):
        load(written(tmp_path, SMALL.replace('"en"', '"zh"') + "colour = 1\n"))


def test_a_slip_anywhere_is_told_in_the_language_that_the_file_names_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match="words after the = need quotes"):
        load(written(tmp_path, SMALL.replace('"in"', "in")))
    with pytest.raises(ConfigFaults, match="等号后的文字须加英文引号"):
        load(written(tmp_path, SMALL.replace('"en"', "zh")), Language.EN)
    with pytest.raises(ConfigFaults, match="cannot read the file"):
        load(tmp_path / "none.toml", Language.EN)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (SMALL.replace('"in"', "“in”").encode(), "13: : not valid TOML: outside plain quotes this line has “ ”;"),
        (
            SMALL.replace('direction = "in"', 'direction："in"').encode(),
            "13: : not valid TOML: outside plain quotes this",
        ),
        (
            SMALL.replace("direction =", "direction\u3000=").encode(),
            "13: : not valid TOML: outside plain quotes this line has U+3000",
        ),
        (
            SMALL.replace("direction =", "方向 =").encode(),
            "13: : not valid TOML: outside plain quotes this line has 向 方",
        ),
        (SMALL.encode("gbk"), "3: : the file is not UTF-8"),
        (
            SMALL.replace('"in"', "in").encode(),
            "13: : words after the = need quotes, true and false stand without (TOML: Invalid",
        ),
        (SMALL.replace('"in"', "True").encode(), "13: : words after the = need quotes, true and false stand without"),
        (b"\xef\xbb\xbf" + SMALL.replace("port", "prot").encode(), "17: readers.east-reader.prot"),
    ],
)
def test_files_that_are_hard_to_read(tmp_path: Path, raw: bytes, expected: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigFaults) as caught:
        load(path)
    said = [f"{fault.line}: {fault.key}: {fault.message.say(Language.EN)}" for fault in caught.value.faults]
    assert any(line.startswith(expected) for line in said), said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x = " + "[" * 5000 + "]" * 5000, "too many levels"),
        ("x = " + "{a=" * 5000 + "1" + "}" * 5000, "too many levels"),
        ("[" + ".".join("a" * 5000) + "]", "too many levels"),
        (".".join("a" * 5000) + " = 1", "too many levels"),
        (".".join("a" * 300) + " = 1", "too many levels"),
        ("x = " + "9" * 5000, "the number is too long"),
    ],
)
def test_what_the_parser_cannot_bear_is_a_fault_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    """Each ended in a traceback, or in words of pydantic that quoted the whole file."""
    (fault,) = faults(tmp_path, SMALL + line)
    assert fault.startswith(f"{len(SMALL.splitlines()) + 1}: : {said}")
    assert len(fault) < 200


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match=r"--config"):
        load(tmp_path / "none.toml")


def test_one_port_serves_one_device(tmp_path: Path) -> None:
    second = '\n[readers.west]\ndriver = "rdm6300"\nport = "/dev/ttyUSB0"\npoint = "east-door"\n'
    assert any("used by readers.east-reader" in line for line in faults(tmp_path, SMALL + second))


def test_face_recognition_that_keeps_the_law_may_run(tmp_path: Path) -> None:
    assert load(written(tmp_path, SMALL + LAW + FACE.format(point="east-door", sign="true"))).face.enabled


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FACE.format(point="east-door", sign="true"), "face recognition is off"),
        (LAW + FACE.format(point="east-door", sign="false"), "a sign must be posted"),
        (LAW.replace('"p"', '" "') + FACE.format(point="east-door", sign="true"), "face.purpose: must be filled in"),
        (LAW.replace('pia_ref = "r"\n', ""), "face.pia_ref: must be filled in"),
        (
            '\n[points.side]\nname = "x"\nkind = "pedestrian"\ndirection = "in"\n'
            + LAW
            + FACE.format(point="side", sign="true"),
            "a face may not be the only way in",
        ),
    ],
)
def test_the_law_on_faces_is_checked(tmp_path: Path, text: str, expected: str) -> None:
    said = faults(tmp_path, SMALL + text)
    assert any(expected in line for line in said), said


def test_lines_are_found_past_arrays_strings_and_inline_tables() -> None:
    text = 'a = """\n[no]\nx = 1\n"""\nb = [\n  [1, 2],\n  # [c]\n]\n[t."q r".s]\nk.l = { m = 1 }\n[[u]]\nv = "[w]"\n'
    lines = Lines(text)
    assert lines.of(("b",)) == 5
    assert lines.of(("t", "q r", "s", "k", "l", "m")) == 10
    assert lines.of(("u", "v")) == 12
    assert lines.of(("nowhere",)) == 0


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_no_file_does_anything_but_load_or_name_its_faults(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "fuzz.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigFaults):
        load(path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, suppress_health_check=list(HealthCheck), deadline=None)
@given(section=st.sampled_from(["site", "points", "readers", "cameras", "actuators", "face", "uplinks"]), value=values)
def test_any_value_in_any_section_is_a_fault_with_words(tmp_path: Path, section: str, value: object) -> None:
    text = f"{section} = {json.dumps(value)}\n" if not isinstance(value, dict) else ""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert faults(tmp_path, text)
