"""The health sample holds what the contract names, and numbers that are about this machine."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.board import Board
from gateway.health import Health
from gateway.journal import Cursor, Journal
from gateway.messages import Sample
from gateway.types import DeviceStatus, EventClass
from tests.facts import BOOT, event
from tests.real import wait_until
from tests.running import running

ZONE = ZoneInfo("Asia/Shanghai")


def test_a_sample_says_how_the_box_is_doing(tmp_path: Path) -> None:
    journal, board = Journal(tmp_path / "journal.db"), Board()
    board.device("east-reader", "reader", "east-door", DeviceStatus.FAULT)
    board.count("reader.east-reader.cards", 3)
    beat = {"fps": 1.8, "resting": False}
    board.note("vision", {"pace": 0.36, "memory": 1 << 28, "restarts": 1, "cameras": {"gate-cam": beat}})
    journal.append([event(n, name) for n, name in enumerate(["access.granted", "alarm.tamper", "access.denied"])], BOOT)
    journal.save_cursors("city", [Cursor("alarm", 3, None), Cursor("live", 1, None)], buried=[(1, "no")])
    health = Health(journal, board, {"city": list(EventClass), "estate": [EventClass.ALARM]}, tmp_path, ZONE)
    sum(range(3_000_000))
    sample = json.loads(json.dumps(health.sample()))
    assert sample["uplinks"]["city"] == {
        "backlog": 1,
        "oldest_pending": "2026-11-22T12:00:00.123+08:00",
        "dead_letters": 1,
    }
    assert sample["uplinks"]["estate"]["backlog"] == 1
    assert sample["journal"] == {"last_seq": 3, "fault": None}
    assert sample["counters"]["reader.east-reader.cards"] == 3
    assert sample["devices"] == {"east-reader": "fault"}
    assert sample["vision"] == {"pace": 0.36, "memory": 1 << 28, "restarts": 1, "fps": {"gate-cam": 1.8}}
    assert sample["clock"]["trust"] in {"synced", "unsynced"}
    assert 1 << 20 < sample["memory"]["rss"] < sample["memory"]["total"]
    assert 0 < sample["disk"]["free"] <= sample["disk"]["total"]
    assert 0 < sample["cpu"]["process"] < 4 * (os.cpu_count() or 1)
    assert 0 <= sample["cpu"]["busy"] <= 1
    journal.close()


def test_samples_are_noted_until_the_stop(tmp_path: Path) -> None:
    journal, board = Journal(tmp_path / "journal.db"), Board()
    with running(Health(journal, board, {}, tmp_path, ZONE, every=0.1)):
        wait_until(lambda: "health" in board.facts())
        first = board.facts()["health"]
        wait_until(lambda: board.facts()["health"] is not first)
        assert "health" in board.beats()
    assert "health" not in board.beats()
    journal.close()


class Counted(Health):
    tries = 0

    def sample(self) -> Sample:
        self.tries += 1
        return super().sample()


def test_a_data_folder_that_is_gone_costs_samples_and_not_the_thread(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal, board, stop = Journal(tmp_path / "journal.db"), Board(), threading.Event()
    data = tmp_path / "data"
    health = Counted(journal, board, {}, data, ZONE, every=0.1)
    thread = threading.Thread(target=health.run, args=(stop,), daemon=True)
    thread.start()
    wait_until(lambda: "no health can be told" in caplog.text)
    wait_until(lambda: health.tries > 3)
    assert caplog.text.count("no health can be told") == 1  # not a line a minute
    data.mkdir()
    wait_until(lambda: "health" in board.facts())
    stop.set()
    thread.join()
    journal.close()
