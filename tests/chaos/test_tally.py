"""The comparison itself: it must see what is missing, and accept only what was told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.platform import Platform
from tests.chaos.tally import Tally, compare

LOSS = {"from": None, "to": None, "count": 0, "class": "access"}


def event(seq: int, kind: str = "access.denied", **data: Any) -> dict[str, Any]:
    return {
        "id": f"id-{seq}",
        "sequence": seq,
        "previous": seq - 1,
        "type": f"compound.{kind}.v1",
        "data": {"credential_ref": f"c:{seq}", **data},
    }


def tally(accepted: list[dict[str, Any]], received: list[dict[str, Any]], presented: int | None = None) -> Tally:
    cards = Counter(f"c:{number}" for number in range(1, (presented or len(accepted)) + 1))
    return compare(cards, {one["id"]: one for one in accepted}, {"city": received})


def test_all_that_was_accepted_and_stored_twice_is_whole() -> None:
    events = [event(seq) for seq in range(1, 6)]
    found = tally(events, [*events, events[2]])
    assert found.is_whole
    assert found.dropped == 0
    assert (found.platforms["city"].stored, found.platforms["city"].duplicates) == (5, 1)


def test_an_event_that_did_not_arrive_is_lost_and_leaves_a_gap() -> None:
    events = [event(seq) for seq in range(1, 6)]
    found = tally(events, [*events[:2], *events[3:]])
    assert not found.is_whole
    assert (found.platforms["city"].lost, found.platforms["city"].gaps) == (1, 1)


def test_the_last_event_is_missed_too_though_no_chain_leads_to_it() -> None:
    events = [event(seq) for seq in range(1, 6)]
    assert tally(events, events[:-1]).platforms["city"].lost == 1


@pytest.mark.parametrize(("kind", "explained"), [("access", 2), ("*", 2), ("vehicle", 0)])
def test_only_a_loss_event_of_its_class_and_range_explains(kind: str, explained: int) -> None:
    events = [event(seq) for seq in range(1, 6)]
    loss = event(6, "loss", **{**LOSS, "class": kind, "from": 2, "to": 3, "count": 2})
    part = tally([*events, loss], [events[0], *events[3:], loss]).platforms["city"]
    assert (part.explained, part.lost) == (explained, 2 - explained)


def test_a_sequence_used_twice_is_seen() -> None:
    events = [event(seq) for seq in range(1, 4)]
    again = {**event(3), "id": "id-other"}
    assert not tally(events, [*events, again]).is_whole


def test_a_card_without_an_event_is_dropped_unless_it_is_told() -> None:
    events = [event(seq) for seq in range(1, 4)]
    assert tally(events, events, presented=5).dropped == 2
    told = event(4, "loss", **{**LOSS, "count": 2, "credential_ref": None})
    assert tally([*events, told], [*events, told], presented=5).dropped == 0


def test_nothing_accepted_is_no_success() -> None:
    assert not tally([], []).is_whole


def test_a_message_that_no_document_describes_fails_the_run(tmp_path: Path) -> None:
    events = [event(1)]
    assert compare(Counter({"c:1": 1}), {"id-1": events[0]}, {"city": events}).is_whole
    platform = Platform("city", tmp_path, [], "5")
    topic = "compound/v1/fenglinwan/box-1/event/access"
    line = json.dumps([1.0, topic, json.dumps(events[0])])
    (tmp_path / "city.jsonl").write_text(f"{line}\n{line}\n", encoding="utf-8")
    strange = platform.strange()
    assert strange
    assert all(fault.startswith(topic) for fault in strange)
    assert not compare(Counter({"c:1": 1}), {"id-1": events[0]}, {"city": events}, strange).is_whole
