"""What `status` prints for people."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.cli.status import _print

DEVICE = {"kind": "reader", "name": "east", "point": None, "status": "offline", "detail": "[Errno 2] no such [file]"}
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
