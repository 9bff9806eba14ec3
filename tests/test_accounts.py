"""Events that no observation makes, and that no event of ours carries what the privacy guard refuses."""

from __future__ import annotations

import pytest

from gateway.accounts import Outcome, card_event, device_event, face_event, picture_fault_event, plate_event
from gateway.board import Board, DeviceState
from gateway.clock import now
from gateway.credentials import parse_credential
from gateway.privacy import refuse_face_data
from gateway.settings import Point
from gateway.types import (
    CardRead,
    Decision,
    DeviceStatus,
    Direction,
    Event,
    EventClass,
    FaceSeen,
    PictureDone,
    Plate,
    PlateSeen,
    PointKind,
    Reason,
    Verdict,
)

POINT = Point(name="东门", kind=PointKind.MIXED, direction=Direction.IN)
OUTCOME = Outcome(Decision(Verdict.DENY, Reason.UNKNOWN), opened=False, latency_ms=3, passage="p")


def test_the_board_tells_of_devices_in_events() -> None:
    told: list[Event] = []
    board = Board()
    board.on_device(lambda state: told.append(device_event(state)))
    board.device("reader-1", "reader", "door", DeviceStatus.ONLINE)
    board.device("reader-1", "reader", "door", DeviceStatus.OFFLINE, "unplugged")
    assert [(event.name, event.subject, event.event_class) for event in told] == [
        ("device.online", "reader-1", EventClass.DEVICE),
        ("device.offline", "reader-1", EventClass.DEVICE),
    ]
    assert told[1].data == {
        "device": "reader-1",
        "kind": "reader",
        "point": "door",
        "status": "offline",
        "detail": "unplugged",
    }


EVENTS = [
    card_event(CardRead("door", "r", now(), parse_credential("w26:1-2")), POINT, OUTCOME, "c:1"),
    plate_event(
        PlateSeen("door", "c", now(), Plate("鄂J12345", "", "02", "5", 0.9, (0.123456,) * 8), 3), POINT, OUTCOME
    ),
    face_event(FaceSeen("door", "c", now(), "h:1", 0.8, 0.6, 30, "low", "none"), POINT, OUTCOME),
    device_event(DeviceState("r", "reader", None, DeviceStatus.FAULT, now())),
    picture_fault_event(PictureDone("door", "c", now(), "a.jpg", 1, "cut off")),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_event_passes_the_privacy_guard(event: Event) -> None:
    refuse_face_data(event.data)
