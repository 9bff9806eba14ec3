"""Who may pass, as tables: each rule alone, and which rule wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from gateway.decide import decide_card, decide_face, decide_plate
from gateway.types import Holder, Plate, Reason, Verdict

TODAY = date(2026, 11, 22)
HOLDER = Holder("r-1", "h:1", "张三", "resident", "owner", "3-1-0502", None)
PLATE = Plate("鄂J12345", "鄂J12345", "02", "5", 0.97, (0.99,) * 7)

CASES = [
    ({}, Reason.OK),
    ({"points": frozenset({"door"})}, Reason.OK),
    ({"points": frozenset({"gate"})}, Reason.NO_RIGHT),
    ({"points": frozenset()}, Reason.NO_RIGHT),
    ({"valid_until": TODAY}, Reason.OK),  # the last day is valid to its end
    ({"valid_until": date(2026, 11, 21)}, Reason.EXPIRED),
    ({"valid_from": TODAY}, Reason.OK),
    ({"valid_from": date(2026, 11, 23)}, Reason.NOT_YET),
    ({"status": "lost"}, Reason.LOST),
    ({"status": "blocked"}, Reason.BLOCKED),
    ({"status": "a word of tomorrow"}, Reason.BLOCKED),
    ({"status": "blocked", "valid_until": date(2020, 1, 1)}, Reason.BLOCKED),
    ({"valid_until": date(2020, 1, 1), "points": frozenset({"gate"})}, Reason.EXPIRED),
]


@pytest.mark.parametrize(("change", "reason"), CASES)
def test_a_card_is_judged_by_its_holder(change: dict[str, object], reason: Reason) -> None:
    holder = replace(HOLDER, **change)
    decision = decide_card([holder], "door", TODAY)
    assert decision.reason is reason
    assert decision.verdict is (Verdict.GRANT if reason is Reason.OK else Verdict.DENY)
    assert decision.holder is holder


def test_an_unknown_card_is_denied_without_a_holder() -> None:
    decision = decide_card([], "door", TODAY)
    assert (decision.verdict, decision.reason, decision.holder) == (Verdict.DENY, Reason.UNKNOWN, None)


def test_a_read_that_fits_two_people_is_nobodys() -> None:
    decision = decide_card([HOLDER, replace(HOLDER, id="r-2", ref="h:2")], "door", TODAY)
    assert (decision.verdict, decision.reason, decision.holder) == (Verdict.DENY, Reason.UNCERTAIN, None)


EXPIRED = replace(HOLDER, id="r-9", ref="h:9", valid_until=date(2026, 1, 1))
PLATES = [
    # confidence, holders, permission, verdict, reason, holder
    (0.97, [HOLDER], True, Verdict.GRANT, Reason.OK, HOLDER),
    (0.97, [EXPIRED, HOLDER], True, Verdict.GRANT, Reason.OK, HOLDER),  # a household's car: any of them may
    (0.97, [EXPIRED], True, Verdict.DENY, Reason.EXPIRED, EXPIRED),
    (0.97, [], True, Verdict.DENY, Reason.UNKNOWN, None),
    (0.85, [HOLDER], True, Verdict.GRANT, Reason.OK, HOLDER),
    (0.849, [HOLDER], True, Verdict.DENY, Reason.UNCERTAIN, None),
    (0.97, [], False, Verdict.GRANT, Reason.NOT_REQUIRED, None),
    (0.97, [EXPIRED], False, Verdict.GRANT, Reason.NOT_REQUIRED, EXPIRED),
    (0.3, [], False, Verdict.DENY, Reason.UNCERTAIN, None),
]


@pytest.mark.parametrize(("confidence", "holders", "permission", "verdict", "reason", "holder"), PLATES)
def test_a_plate_is_judged(
    confidence: float, holders: list[Holder], permission: bool, verdict: Verdict, reason: Reason, holder: Holder | None
) -> None:
    plate = replace(PLATE, confidence=confidence)
    decision = decide_plate(plate, 0.85, holders, "gate", TODAY, permission=permission)
    assert (decision.verdict, decision.reason, decision.holder) == (verdict, reason, holder)


@pytest.mark.parametrize("number", ["京X1234应急", "鄂12345应急"])
@pytest.mark.parametrize("permission", [True, False])
def test_an_emergency_vehicle_is_never_refused(number: str, permission: bool) -> None:
    plate = replace(PLATE, number=number, plate_class="99", plate_color="2", confidence=0.2)
    assert decide_plate(plate, 0.85, [], "gate", TODAY, permission=permission).verdict is Verdict.GRANT


def test_class_99_alone_is_no_emergency() -> None:
    plate = replace(PLATE, number="鄂A1234试", plate_class="99")
    assert decide_plate(plate, 0.85, [], "gate", TODAY).reason is Reason.UNKNOWN


@pytest.mark.parametrize(
    ("holder", "may_open", "verdict", "reason"),
    [
        (HOLDER, False, Verdict.DENY, Reason.LOW_ASSURANCE),
        (HOLDER, True, Verdict.GRANT, Reason.OK),
        (EXPIRED, True, Verdict.DENY, Reason.EXPIRED),
        (EXPIRED, False, Verdict.DENY, Reason.EXPIRED),
        (None, True, Verdict.DENY, Reason.UNKNOWN),
    ],
)
def test_a_face_is_judged(holder: Holder | None, may_open: bool, verdict: Verdict, reason: Reason) -> None:
    decision = decide_face(holder, "door", TODAY, may_open)
    assert (decision.verdict, decision.reason) == (verdict, reason)
