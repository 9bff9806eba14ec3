"""The ledger on a real disk: bounded, durable, and never forgetting what is still valid."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.clock import ClockTrust
from gateway.downlink import ledger as module
from gateway.downlink.answers import Refusal
from gateway.downlink.ledger import Ledger
from tests.downlink.parts import Gateway
from tests.real import Mosquitto, wait_until


def at(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_a_request_is_on_the_disk_when_begin_returns(tmp_path: Path) -> None:
    """Another process takes it and dies without a word."""
    path = tmp_path / "downlink.db"
    code = (
        "import os, sys; from datetime import *; from pathlib import Path; from gateway.downlink.ledger import Ledger;"
        "Ledger(Path(sys.argv[1])).begin('city', '1', 'd', datetime.now(UTC) + timedelta(seconds=30)); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    found = Ledger(path).recall("city", "1")
    assert found is not None
    assert (found.digest, found.reply) == ("d", None)
    assert path.stat().st_mode & 0o077 == 0


def test_uplinks_have_request_ids_of_their_own(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "downlink.db")
    ledger.begin("city", "1", "d", at(30))
    ledger.finish("city", "1", b"reply")
    assert ledger.recall("police", "1") is None
    found = ledger.recall("city", "1")
    assert found is not None
    assert found.reply == b"reply"
    ledger.close()


def test_what_is_valid_is_kept_and_what_has_expired_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 20)
    ledger = Ledger(tmp_path / "downlink.db")
    ledger.begin("city", "ancient", "d", at(-90_000))
    ledger.begin("city", "old", "d", at(-60))
    assert ledger.recall("city", "old")  # the clock may be set back: kept for a day
    for number in range(19):
        ledger.begin("city", f"valid-{number}", "d", at(60))
    assert ledger.recall("city", "ancient") is None
    ledger.begin("city", "valid-19", "d", at(60))
    assert ledger.recall("city", "old") is None
    with pytest.raises(Refusal) as refused:
        ledger.begin("city", "one-too-many", "d", at(60))
    assert refused.value.code == "busy"
    assert all(ledger.recall("city", f"valid-{number}") for number in range(20))
    ledger.close()


def on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("downlink.db*"))


def test_a_picture_in_an_old_answer_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    """The answer to `capture.get` holds one."""
    ledger = Ledger(tmp_path / "downlink.db")
    ledger.begin("city", "valid", "d", at(60))
    ledger.begin("city", "picture", "d", at(-90_000))
    ledger.finish("city", "picture", b"PLATE" * 4000)
    ledger.forget_now_and_then(lambda: ClockTrust.UNSYNCED)
    assert ledger.recall("city", "picture"), "nobody knows how old it is"
    ledger.forget_now_and_then(lambda: ClockTrust.SYNCED)
    assert ledger.recall("city", "picture") is None
    assert b"PLATE" not in on_disk(tmp_path)
    assert ledger.recall("city", "valid")
    ledger.close()


def test_a_gateway_forgets_old_answers_though_nobody_orders_anything(tmp_path: Path, broker: Mosquitto) -> None:
    gateway = Gateway(tmp_path, broker.port)
    ledger = Ledger(gateway.data / "downlink.db")
    ledger.begin("city", "picture", "d", at(-90_000))
    ledger.finish("city", "picture", b"PLATE" * 4000)
    ledger.close()
    assert b"PLATE" in on_disk(gateway.data)
    with gateway.running():
        wait_until(lambda: b"PLATE" not in on_disk(gateway.data), what="the picture has gone")
