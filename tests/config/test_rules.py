"""What spans tables of the configuration, on values nobody should write but somebody will."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import load
from tests.config.writing import FACE, LAW, SMALL, faults, written
from tests.uplink.parts import certificate


@pytest.mark.parametrize("value", ['["east-door"]', "{ name = 1 }", "5", "[[]]"])
@pytest.mark.parametrize("section", ["readers", "cameras"])
def test_a_point_that_is_no_name_is_a_fault_and_no_crash(tmp_path: Path, section: str, value: str) -> None:
    text = SMALL + LAW + FACE.format(point="east-door", sign="true")
    table = "readers.east-reader" if section == "readers" else "cameras.cam"
    head, _, tail = text.partition(f"[{table}]")
    changed = tail.replace('point = "east-door"', f"point = {value}", 1)
    said = faults(tmp_path, f"{head}[{table}]{changed}")
    assert any(f"{table}.point: " in line and "it must be text" in line for line in said), said


@pytest.mark.parametrize(("code", "is_one"), [("42011201012160000001", True), ("00" * 10, False), ("24" * 10, False)])
def test_a_code_that_no_city_assigned_is_refused(tmp_path: Path, code: str, is_one: bool) -> None:
    text = SMALL.replace("fenglinwan", code)
    if is_one:
        assert load(written(tmp_path, text)).site.compound_id == code
        return
    (said,) = faults(tmp_path, text)
    assert "site.compound_id: a code of 20 digits begins with that of a province" in said


def test_a_missing_secret_is_named_beside_other_faults_of_its_device(tmp_path: Path) -> None:
    camera = '\n[cameras.c]\ndriver = "rtsp"\nurl = "http://x"\npoint = "east-door"\npassword_file = "none"\n'
    said = faults(tmp_path, SMALL + camera)
    assert any("cameras.c.url" in line for line in said), said
    assert any("cameras.c.password_file: there is no file" in line for line in said), said


@pytest.mark.parametrize(("driver", "scheme"), [("rtsp", "rtsp"), ("snapshot", "http")])
def test_the_password_of_a_camera_needs_a_user(tmp_path: Path, driver: str, scheme: str) -> None:
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    camera = f'\n[cameras.c]\ndriver = "{driver}"\nurl = "{scheme}://admin@h"\npoint = "east-door"\n'
    camera += 'password_file = "secret"\n'
    assert faults(tmp_path, SMALL + camera) == ["24: cameras.c.password_file: needs username as well"]
    load(written(tmp_path, SMALL + camera + 'username = "admin"\n'))


@pytest.mark.parametrize("table", ["cameras", "readers"])
def test_a_recording_must_be_there(tmp_path: Path, table: str) -> None:
    said = faults(tmp_path, SMALL + f'\n[{table}.c]\ndriver = "replay"\npath = "none"\npoint = "east-door"\n')
    assert any(f"{table}.c.path: there is no file" in line for line in said), said


@pytest.mark.parametrize(
    ("given", "meant"), [("done", "{folder}/done"), ("up/done", "{folder}/up/done"), ("/srv/done",) * 2]
)
def test_where_done_pictures_go_is_relative_to_the_file(tmp_path: Path, given: str, meant: str) -> None:
    camera = f'\n[cameras.cam]\ndriver = "folder"\npath = "up"\nafter = "move:{given}"\npoint = "east-door"\n'
    options = load(written(tmp_path, SMALL + camera)).cameras["cam"].options
    assert options["after"] == "move:" + meant.format(folder=tmp_path)


def test_a_number_where_a_word_belongs_wants_quotes(tmp_path: Path) -> None:
    said = faults(tmp_path, SMALL.replace('"rdm6300"', '"wiegand"\nformat = 26'))
    assert any("'26' has the wrong type, it must be text (in quotes)" in line for line in said), said


def test_fps_of_a_replay_is_its_pace_as_well_as_the_rate_of_recognition(tmp_path: Path) -> None:
    camera = '\n[cameras.c]\ndriver = "replay"\npath = "."\npoint = "east-door"\nfps = 2\n'
    found = load(written(tmp_path, SMALL + camera)).cameras["c"]
    assert (found.fps, found.options["fps"]) == (2.0, 2.0)


CAMERA = '\n[cameras.c]\ndriver = "folder"\npath = "in"\npoint = "east-door"\nrecognise = ["plate"]\n'


def test_a_region_of_interest_is_a_list_of_corners(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL + CAMERA + "roi = [[0, 0.5], [1, 0.5], [1, 1.0]]\n"))
    assert settings.cameras["c"].roi == [(0.0, 0.5), (1.0, 0.5), (1.0, 1.0)]
    assert type(settings).model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("roi", "expected"),
    [
        ("[[0, 0], [2, 0], [1, 1]]", "cameras.c.roi.1.0: 2 is out of range"),
        ("[[0, 0], [1, 0]]", "at least three corners"),
        ("[[0, 0], [0.5, 0.5], [1, 1]]", "at least three corners"),  # no plate was ever found there, in silence
        ("[[0, 0], [1, 1], [1, 0], [0, 1]]", "going round it"),
        ('[[0, 0], ["1", 0], [1, 1]]', "'1' has the wrong type, it must be a number"),
        ("[[0, 0], [1], [1, 1]]", "cameras.c.roi.1.1: is missing"),
        ("[[0, 0], [1, 0, 1], [1, 1]]", "cameras.c.roi.1: "),
        ("[0, 0, 1, 1]", "it must be a list"),
    ],
)
def test_a_wrong_region_is_refused(tmp_path: Path, roi: str, expected: str) -> None:
    said = faults(tmp_path, SMALL + CAMERA + f"roi = {roi}\n")
    assert any(expected in line for line in said), said


def test_what_is_allowed_is_said_as_it_is_written(tmp_path: Path) -> None:
    said = faults(tmp_path, SMALL + CAMERA + 'approach = "both"\n')
    assert any("'both' is not allowed; allowed: in, out" in line for line in said), said


def test_an_uplink_without_a_host_is_refused(tmp_path: Path) -> None:
    assert any("uplinks.c.host:" in line for line in faults(tmp_path, SMALL + '\n[uplinks.c]\nhost = ""\n'))


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    ca = certificate(tmp_path, "ca")
    certificate(tmp_path, "client", ca)
    (tmp_path / "text.pem").write_text("no certificate")
    return tmp_path


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ('ca_file = "text.pem"', "uplinks.c.ca_file: the certificate or its key cannot be used"),
        (
            'cert_file = "client.crt"\nkey_file = "ca.key"',
            "uplinks.c.cert_file: the certificate or its key cannot be used",
        ),
        ('cert_file = "client.crt"\nkey_file = "text.pem"', "uplinks.c.cert_file: the certificate or its key cannot"),
    ],
)
def test_a_file_that_is_no_certificate_is_found_before_anything_connects(tls: Path, files: str, expected: str) -> None:
    said = faults(tls, SMALL + f'\n[uplinks.c]\nhost = "h"\n{files}\n')
    assert any(expected in line for line in said), said


def test_good_certificates_pass(tls: Path) -> None:
    files = 'ca_file = "ca.crt"\ncert_file = "client.crt"\nkey_file = "client.key"\n'
    assert load(written(tls, SMALL + f'\n[uplinks.c]\nhost = "h"\n{files}')).uplinks["c"].tls


def test_a_retention_without_a_unit_is_refused(tmp_path: Path) -> None:
    said = faults(tmp_path, SMALL + '\n[journal]\nretain = { access = 180, alarm = "365d" }\n')
    assert said == ['21: journal.retain.access: 180 of what? write it with a unit, such as "180d" for days']


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('[journal]\nretain = { alarm = "179d" }', ["journal.retain.alarm: 180d at least"]),
        ('[journal]\nretain = { audit = "0s" }', ["journal.retain.audit: 180d at least"]),
        ("[journal]\nretain = { audit = 0 }", ["journal.retain.audit: 180d at least"]),
        ('[journal]\nretain = { access = "1096d" }', ["journal.retain.access: 1095d at most"]),
        ('[captures]\nretain = "91d"', ["captures.retain: 90d at most"]),
        ('[journal]\nretain = { audit = "180d", access = "1d", vehicle = "1095d" }\n[captures]\nretain = "90d"', []),
    ],
)
def test_how_long_personal_data_and_proofs_are_kept_has_limits(tmp_path: Path, lines: str, expected: list[str]) -> None:
    if not expected:
        assert load(written(tmp_path, f"{SMALL}\n{lines}\n")).journal.retain.access == 86_400
        return
    said = faults(tmp_path, f"{SMALL}\n{lines}\n")
    assert len(said) == 1
    assert expected[0] in said[0]


@pytest.mark.parametrize(
    ("captures", "expected"),
    [
        ('plate = true\nuplinks = ["citty"]', "captures.uplinks: there is no uplink 'citty'"),
        ('plate = true\nuplinks = ["hidden"]', "uplink hidden may not see plate_no in clear"),
        ("retain = 30", "captures.retain: 30 of what"),
        ("faces = true", "captures.faces"),
    ],
)
def test_pictures_go_to_no_platform_that_may_not_see_plates(tmp_path: Path, captures: str, expected: str) -> None:
    uplinks = '\n[uplinks.city]\nhost = "h"\n[uplinks.hidden]\nhost = "h"\nfields = { plate_no = "hash" }\n'
    said = faults(tmp_path, f"{SMALL}{uplinks}\n[captures]\n{captures}\n")
    assert any(expected in line for line in said), said


def test_captures_are_off_unless_asked_for(tmp_path: Path) -> None:
    captures = load(written(tmp_path, SMALL)).captures
    assert (captures.plate, captures.scene, captures.uplinks) == (False, False, [])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("", "needs a model for `liveness`"),
        ('liveness = "spoof"', "dlib-resnet says assurance low"),
        ('liveness = "spoof"', "'south-door' is no point with a reader; allowed: east-door"),
    ],
)
def test_a_face_opens_alone_only_where_law_and_model_allow_it(tmp_path: Path, change: str, expected: str) -> None:
    point = "south-door" if "south" in expected else "east-door"
    law = LAW.replace("enabled = true", f'enabled = true\nopen_alone = ["{point}"]\n{change}')
    said = faults(tmp_path, SMALL + law + FACE.format(point="east-door", sign="true"))
    assert any("face.open_alone" in line and expected in line for line in said), said


def test_checks_are_of_those_who_come_in(tmp_path: Path) -> None:
    asks = SMALL.replace('direction = "in"', 'direction = "{way}"\ncheck_unknown = true\ncheck_within = "{within}"')
    point = load(written(tmp_path, asks.format(way="both", within="10m"))).points["east-door"]
    assert (point.check_unknown, point.check_within) == (True, 600)
    (said,) = faults(tmp_path, asks.format(way="out", within="10m"))
    assert "points.east-door.check_unknown: checks are of those who come in" in said


@pytest.mark.parametrize(("within", "why"), [("5s", "≥ 10"), ("2h", "≤ 3600"), ("soon", "write a duration such as")])
def test_a_check_is_open_for_a_time_that_serves(tmp_path: Path, within: str, why: str) -> None:
    text = SMALL.replace('direction = "in"', f'direction = "in"\ncheck_unknown = true\ncheck_within = "{within}"')
    (said,) = faults(tmp_path, text)
    assert "points.east-door.check_within: " in said
    assert why in said
