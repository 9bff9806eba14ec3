"""What `status` prints for people."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.cli.status import _print

DEVICE = {"kind": "reader", "name": "east", "point": None, "status": "offline", "detail": "[Errno 2] no such [file]"}
UPLINK = {"connected": False, "waiting": None, "dead": 0, "reason": "refused " * 9, "hint": "the password?"}
STATUS: dict[str, Any] = {
    "words": "all [well]",
    "devices": [DEVICE],
    "vision": {"faults": {"face": "the model was altered"}},
    "roster": {"holders": 7, "fault": "not a database"},
    "clock": "unsynced",
    "facts": {"storage": {"free": 1, "off_line": {"days": 41.5, "words": "about 41.5 days"}}},
    "uplinks": {"city": {"connected": False, "waiting": None, "dead": 0, "reason": "refused", "hint": "the password?"}},
}


def test_status_shows_details_as_they_are_and_what_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    _print(STATUS)
    said = capsys.readouterr().out
    assert "all [well]" in said
    assert "[Errno 2]" in said  # brackets are no markup
    assert "the model was altered" in said
    assert "7" in said
    assert "not a database" in said
    assert "timedatectl" in said
    assert "refused" in said
    assert "about 41.5 days" in said
    assert not {"True", "None"} & set(said.split())


def test_a_disk_short_of_space_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """`alarm.storage_low` stood in `events` alone, and old events went while all seemed well."""
    _print({**STATUS, "facts": {"storage": {"free": 1, "low": True}}})
    assert "df -h" in capsys.readouterr().out
    _print(STATUS)
    assert "df -h" not in capsys.readouterr().out


def test_long_names_are_broken_into_lines_and_never_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = {"name": "east-door-beside-the-bicycles-01", "point": "walk-in-at-the-northern-side-b17"}
    _print({**STATUS, "devices": [{**DEVICE, **names}], "uplinks": {}})
    said = capsys.readouterr().out
    cells = [[cell.strip() for cell in line.split("│")] for line in said.splitlines() if line.startswith("│")]
    assert set(names.values()) <= {"".join(column) for column in zip(*cells, strict=True)}
    _print({**STATUS, "uplinks": {"city-of-huanggang-platform-main1": UPLINK}})
    assert "…" not in said + capsys.readouterr().out


def test_a_long_path_is_broken_into_lines_and_never_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = "/dev/serial/by-id/usb-1a86_USB2.0-Serial-if00-port0"
    _print({**STATUS, "devices": [{**DEVICE, "name": "east-reader", "point": "east-door", "detail": path}]})
    said = capsys.readouterr().out
    assert "…" not in said
    rows = [line.split("│")[-2].strip() for line in said.splitlines() if line.startswith("│")]
    assert path in "".join(rows)
