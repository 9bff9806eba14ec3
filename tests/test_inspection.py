"""Checks among threads: each ends once, whoever is quickest; nothing hostile gets through the socket's door."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.board import Board
from gateway.clock import now
from gateway.errors import StoreError
from gateway.inspection import Inspection
from gateway.journal import Journal
from gateway.recorder import Recorder
from gateway.types import Event
from tests.facts import BOOT
from tests.real import PATIENCE_S, wait_until
from tests.running import running
from tests.standstill import awake
from tests.test_checks import POINTS, card, opening
from tests.uplink.parts import ZONE


class Kept(list[Event]):
    """A recorder that only remembers."""

    def __call__(self, event: Event, *_: object) -> None:
        self.append(event)

    def of(self, name: str) -> list[Event]:
        return [event for event in list(self) if event.name == name]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def inspection(kept: Kept) -> Inspection:
    return Inspection(POINTS, ZONE, kept, Board())


def test_the_refusal_goes_on_first_and_a_stop_ends_what_is_open(kept: Kept, inspection: Inspection) -> None:
    with running(inspection):
        refusal = card(stamp=now())
        inspection.record(refusal)
        assert [event.name for event in kept] == ["access.denied", "check.required"]
    (result,) = kept.of("check.result")
    assert (result.data["outcome"], result.data["by"]) == ("unanswered", "stop")


class SlowZone(ZoneInfo):
    """Lets other threads have their turn in the middle of an answer."""

    def utcoffset(self, moment: datetime | None, /) -> timedelta | None:
        time.sleep(0.001)
        return super().utcoffset(moment)


def test_everybody_at_once_ends_a_check_once(kept: Kept) -> None:
    """Two points, two openings from afar, staff at the box and the clock."""
    inspection = Inspection(POINTS, SlowZone("Asia/Shanghai"), kept, Board())
    rounds = 100
    start, over = threading.Barrier(4), threading.Event()

    def open_often(point: str) -> None:
        start.wait()
        for number in range(rounds):
            inspection.record(card(number, point, stamp=now()))
            time.sleep(0.005)  # while staff answer
            inspection.record(opening(point))

    def answer_often(outcome: str) -> None:
        start.wait()
        while not over.is_set():
            for check in inspection.listed({})["checks"]:
                inspection.answer({"check": check["check"], "outcome": outcome, "by": "li"})

    with running(inspection), ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(answer_often, outcome) for outcome in ("admitted", "refused")]
        openings = [pool.submit(open_often, point) for point in ("lodge", "door")]
        for done in openings:
            done.result(PATIENCE_S)
        over.set()
        for done in answers:
            done.result(PATIENCE_S)
    required = [event.id for event in kept.of("check.required")]
    assert len(required) == 2 * rounds
    assert sorted(required) == sorted(event.data["check"] for event in kept.of("check.result"))
    order = {event.id: place for place, event in enumerate(kept)}
    assert all(order[event.id] > order[event.data["check"]] for event in kept.of("check.result"))


def test_time_alone_ends_a_check(kept: Kept) -> None:
    """The thread looks; nobody shows anything and nobody asks."""
    lodge = POINTS["lodge"].model_copy(update={"check_within": 1})
    inspection = Inspection({"lodge": lodge}, ZONE, kept, Board())
    with running(inspection):
        inspection.record(card(stamp=now()))
        wait_until(lambda: kept.of("check.result"))
    (result,) = kept.of("check.result")
    assert result.data["by"] == "time"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"check": ""},
        {"check": None, "outcome": "refused"},
        {"check": ["a"], "outcome": "refused", "by": "li"},
        {"check": "zzzzzz", "outcome": "refused", "by": "li"},
        {"outcome": "refused"},
    ],
)
def test_what_names_no_check_ends_none(inspection: Inspection, asked: dict[str, Any]) -> None:
    inspection.record(card(stamp=now()))
    assert inspection.answer(asked) == {"checks": []}
    assert len(inspection.listed({})["checks"]) == 1


@pytest.mark.parametrize("outcome", ["unanswered", "opened", None, {}, ["refused"]])
def test_an_answer_that_there_is_not_ends_no_check(kept: Kept, inspection: Inspection, outcome: object) -> None:
    inspection.record(card(stamp=now()))
    (check,) = inspection.listed({})["checks"]
    inspection.answer({"check": check["check"], "outcome": outcome, "by": "li"})
    assert not kept.of("check.result")


def test_one_sign_of_an_id_is_no_name_for_it(inspection: Inspection) -> None:
    inspection.record(card(stamp=now()))
    (check,) = inspection.listed({})["checks"]
    assert not inspection.answer({"check": check["check"][-1], "outcome": "refused", "by": "li"})["checks"]
    assert inspection.answer({"check": check["check"][-4:], "outcome": "refused", "by": "li"})["checks"]


def test_the_name_of_who_answers_writes_nothing_on_a_terminal(kept: Kept, inspection: Inspection) -> None:
    inspection.record(card(stamp=now()))
    (check,) = inspection.listed({})["checks"]
    inspection.answer({"check": check["check"], "outcome": "refused", "by": "l\x1b[2J\n" + "i" * 900})
    (audit,) = kept.of("audit.check_answered")
    assert audit.data["by"].isprintable()
    assert len(audit.data["by"]) == 32


def test_while_the_disk_refuses_doors_wait_for_nothing_and_what_is_lost_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "journal" / "journal.db")
    recorder = Recorder(journal, Board(), boot=BOOT, capacity=20)
    inspection = Inspection(POINTS, ZONE, recorder.record, Board())
    stop = threading.Event()
    thread = threading.Thread(target=recorder.run, args=(stop,), daemon=True)

    def refuse(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(journal, "keep", refuse)
        broken.setattr(journal, "append", refuse)
        thread.start()
        began = awake()
        for number in range(100):
            inspection.record(card(number, stamp=now()))
        assert awake() - began < 1
    for check in inspection.listed({})["checks"]:
        inspection.answer({"check": check["check"], "outcome": "refused", "by": "li"})

    def accounted() -> int:
        """Rows of the class, and those that a `loss` counts."""
        rows = journal.history(limit=1000)
        lost = [row.data["count"] for row in rows if row.name == "loss" and row.data["class"] == "check"]
        return sum(lost) + len([row for row in rows if row.event_class == "check"])

    wait_until(lambda: accounted() == 200, what="100 that were asked for, and how each ended")
    assert journal.history(glob="loss")
    stop.set()
    thread.join()
    journal.close()
