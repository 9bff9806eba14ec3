"""The JSON of the contract, and the field policy."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.clock import ClockTrust
from gateway.cloudevent import Fields, encode
from gateway.errors import Rejected
from gateway.journal import Row
from gateway.keys import Keys

HOLDER = {"id": "r-0502", "ref": "h:9f2c", "kind": "resident", "category": "owner", "room": "3-1-0502"}
PLATE = {
    "point": "gate",
    "plate_no": "鄂J12345",
    "raw": "鄂J1234S",
    "candidate": "鄂J12346",
    "source_file": "cam1_鄂J12345_blue.jpg",
    "detail": ["also 京AD12345", "鄂J1234S"],
    "holder": HOLDER,
    "room": "3-1-0502",
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("data"))


def row(data: dict[str, Any], name: str = "access.granted", passage: str | None = "0197-p") -> Row:
    moment = datetime(2026, 11, 22, 0, 0, 1, 123_999, tzinfo=UTC)
    gaps = (2, 0, 0, 0, 0, 0, 0, 0)
    return Row(
        184467, "0197-id", name, "east-door", moment, ClockTrust.SYNCED, 93211, "boot-1", passage, None, data, gaps
    )


def sent(keys: Keys, data: dict[str, Any], fields: Fields | None = None, **more: Any) -> dict[str, Any]:
    body = encode(row(data, **more), "/fenglinwan/box-1", 184465, False, fields or {}, keys, ZoneInfo("Asia/Shanghai"))
    found: dict[str, Any] = json.loads(body)
    return found


def test_the_envelope_is_exactly_the_contract(keys: Keys) -> None:
    assert sent(keys, {"point": "east-door", "granted": True, "holder": HOLDER}) == {
        "specversion": "1.0",
        "id": "0197-id",
        "source": "/fenglinwan/box-1",
        "type": "compound.access.granted.v1",
        "subject": "east-door",
        "time": "2026-11-22T08:00:01.123+08:00",
        "datacontenttype": "application/json",
        "dataschema": "urn:compound-gateway:access:1",
        "sequence": 184467,
        "previous": 184465,
        "clock": "synced",
        "bootid": "boot-1",
        "uptimems": 93211,
        "replay": False,
        "passage": "0197-p",
        "data": {
            "point": "east-door",
            "granted": True,
            "holder": {"ref": "h:9f2c", "kind": "resident", "category": "owner", "room": "3-1-0502"},
        },
    }
    assert "passage" not in sent(keys, {}, passage=None)


def test_by_default_plates_and_rooms_are_clear_and_the_holder_is_a_reference(keys: Keys) -> None:
    data = sent(keys, PLATE)["data"]
    assert data["plate_no"] == "鄂J12345"
    assert data["source_file"] == PLATE["source_file"]
    assert "id" not in data["holder"]


@pytest.mark.parametrize("treatment", ["mask", "hash", "drop"])
def test_a_plate_that_is_not_clear_is_nowhere(keys: Keys, treatment: Any) -> None:
    data = sent(keys, PLATE, {"plate_no": treatment})["data"]
    text = json.dumps(data, ensure_ascii=False)
    for secret in ("鄂J12345", "鄂J1234S", "鄂J12346", "京AD12345"):
        assert secret not in text
    expected = {"mask": "鄂J***45", "hash": keys.plate_ref("鄂J12345"), "drop": None}
    assert data.get("plate_no") == expected[treatment]
    assert ("plate_no" in data) == (treatment != "drop")


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("鄂j12345.jpg", "***.jpg"),
        ("a_%E9%84%82J12345.jpg", "a_***.jpg"),
        ("\\udcb6\\udcf5J12345-1.jpg", "\\udcb6\\udcf5***-1.jpg"),  # GBK
        ("100%_20261122.jpg", "100%_20261122.jpg"),
    ],
)
def test_a_plate_hides_in_no_spelling_of_a_file_name(keys: Keys, name: str, seen: str) -> None:
    assert sent(keys, {**PLATE, "source_file": name}, {"plate_no": "mask"})["data"]["source_file"] == seen


@pytest.mark.parametrize(
    "plate",
    [
        *("鄂J12345", "鄂AD12345", "鄂A12345D", "鄂A1234挂", "鄂A1234学", "鄂A1234警", "粤Z1234港", "粤Z1234澳"),
        *("123456使", "使123456", "沪12345领", "沪A1234领", "WJ鄂12345", "WJ1234J", "VA12345", "VA·12345", "民航A1234"),
        *("鄂X1234应急", "鄂12345应急", "鄂A1234试", "鄂A1234超", "沪·12345领"),
    ],
)
def test_the_name_of_an_unread_picture_tells_no_plate_of_any_class(keys: Keys, plate: str) -> None:
    """No plate was read, so nothing but its form says that this is one."""
    broken = {"device": "gate-cam", "detail": "no JPEG", "source_file": f"ch_{plate}_front.jpg"}
    seen = sent(keys, broken, {"plate_no": "drop"}, name="device.fault")["data"]["source_file"]
    assert seen in ("ch_***_front.jpg", "ch_***应急_front.jpg")


def test_names_that_only_look_like_a_military_plate_stay(keys: Keys) -> None:
    named = {"device": "CH12345", "request_id": "ab12345", "source_file": "IMG12345_DSC00012.jpg"}
    assert sent(keys, named, {"plate_no": "drop"})["data"] == named


def test_the_holder_by_policy(keys: Keys) -> None:
    assert sent(keys, PLATE, {"holder": "clear"})["data"]["holder"] == HOLDER
    assert sent(keys, PLATE, {"holder": "mask"})["data"]["holder"].keys() == {"kind", "category", "room"}
    assert "holder" not in sent(keys, PLATE, {"holder": "drop"})["data"]


def test_the_room_by_policy_is_treated_in_both_places(keys: Keys) -> None:
    masked = sent(keys, PLATE, {"room": "mask"})["data"]
    assert masked["room"] == masked["holder"]["room"] == "3-***"
    hashed = sent(keys, PLATE, {"room": "hash"})["data"]
    assert hashed["room"] == hashed["holder"]["room"] == keys.room_ref("3-1-0502")
    dropped = sent(keys, PLATE, {"room": "drop"})["data"]
    assert "room" not in dropped
    assert "room" not in dropped["holder"]


def test_null_stays_null(keys: Keys) -> None:
    assert sent(keys, {"actuator": None})["data"] == {"actuator": None}


def test_the_guard_stands_here_too(keys: Keys) -> None:
    with pytest.raises(Rejected):
        sent(keys, {"embedding": [0.1] * 128})
