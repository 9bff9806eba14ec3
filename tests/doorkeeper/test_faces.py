"""A face is evidence; alone it opens only where everything speaks for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.doorkeeper.keeping import (
    OWNER,
    House,
    card,
    face,
)
from tests.real import wait_until


@pytest.mark.parametrize("assurance", ["low", "medium", "high"])
def test_a_face_is_evidence_and_opens_nothing(house: House, assurance: str) -> None:
    granted = house.see(card())
    event = house.see(face(assurance=assurance))
    data = dict(event.data)
    data.pop("latency_ms")
    assert event.name == "access.recognised"
    assert data.pop("holder")["ref"] == OWNER.ref
    assert data == {
        "point": "door",
        "direction": "in",
        "device": "cam",
        "method": "face",
        "method_code": "100201",
        "granted": False,
        "reason": "low_assurance",
        "opened": False,
        "similarity": 0.8123,
        "threshold": 0.6,
        "gallery_size": 30,
        "assurance": assurance,
        "liveness": "none",
        "reads": 1,
    }
    assert event.passage == granted.passage
    assert house.relays["door-relay"].opened == 1  # the card's


@pytest.mark.parametrize(
    ("point", "assurance", "liveness", "opened"),
    [
        ("side", "high", "passive:net:0.98", 1),  # a face opens here by itself
        ("side", "high", "none", 0),
        ("side", "medium", "passive:net:0.98", 0),
        ("door", "high", "passive:net:0.98", 0),  # the configuration does not say so
    ],
)
def test_a_face_opens_alone_only_where_everything_speaks_for_it(
    house: House, point: str, assurance: str, liveness: str, opened: int
) -> None:
    event = house.see(replace(face(point=point, assurance=assurance), liveness=liveness))
    assert event.name == ("access.granted" if opened else "access.recognised")
    assert event.data["opened"] is bool(opened)
    assert house.relays[f"{point}-relay"].opened == opened


def test_a_face_confirms_the_card_of_the_same_passage(house: House) -> None:
    granted = house.see(card())
    house.see(face())
    wait_until(lambda: house.names() == ["access.granted", "access.recognised", "verify.match"])
    match = house.events[-1][0]
    assert (match.passage, match.subject, match.stamp) == (granted.passage, "door", granted.stamp)
    assert match.data["holder"]["ref"] == OWNER.ref
    assert (match.data["device"], match.data["camera"], match.data["similarity"]) == (
        granted.data["device"],
        "cam",
        0.8123,
    )
    assert match.data["credential_ref"] == granted.data["credential_ref"]


def test_a_face_whose_holder_left_is_no_event(house: House) -> None:
    house.keeper.submit(face("h:0000000000000000", token=3))
    wait_until(lambda: house.settled == [("cam", 3)])
    assert house.count("face_without_holder") == 1
    assert not house.events
