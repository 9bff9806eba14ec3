"""Who may pass: pure rules. Values in, a decision out; no device, no clock, no disk.

Rule: whatever is not clearly allowed is denied, except an emergency vehicle, which is never delayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from gateway.plate_rules import classify
from gateway.types import Decision, FaceSeen, Holder, Plate, Reason, Verdict

_DENIED_BY_STATUS = {"blocked": Reason.BLOCKED, "lost": Reason.LOST}


def decide_card(holders: Sequence[Holder], point: str, today: date) -> Decision:
    """`holders` are those whose cards match what was read, `today` is the day at the site.

    A reader that sends less than the whole number can fit the cards of two people: nobody knows whose it is.
    """
    if not holders:
        return Decision(Verdict.DENY, Reason.UNKNOWN)
    if len({holder.id for holder in holders}) > 1:
        return Decision(Verdict.DENY, Reason.UNCERTAIN)
    return _judge(holders[0], point, today)


def decide_plate(
    plate: Plate, threshold: float, holders: Sequence[Holder], point: str, today: date, *, permission: bool = True
) -> Decision:
    """`holders` are those of the car, any of whom may bring it in; `permission` False lets every read plate pass."""
    if is_emergency(plate):
        return Decision(Verdict.GRANT, Reason.NOT_REQUIRED)
    if plate.confidence < threshold:
        return Decision(Verdict.DENY, Reason.UNCERTAIN)
    if not permission:
        return Decision(Verdict.GRANT, Reason.NOT_REQUIRED, holders[0] if len(holders) == 1 else None)
    if not holders:
        return Decision(Verdict.DENY, Reason.UNKNOWN)
    decisions = [_judge(holder, point, today) for holder in holders]
    return next((decision for decision in decisions if decision.verdict is Verdict.GRANT), decisions[0])


def decide_face(holder: Holder | None, point: str, today: date, may_open: bool) -> Decision:
    """`holder` is whom the recogniser named; it has judged the likeness.

    `may_open` says whether the model's assurance and the configuration let a face open this point.
    """
    if holder is None:
        return Decision(Verdict.DENY, Reason.UNKNOWN)
    decision = _judge(holder, point, today)
    if decision.verdict is Verdict.GRANT and not may_open:
        return Decision(Verdict.DENY, Reason.LOW_ASSURANCE, holder)
    return decision


def face_may_open(seen: FaceSeen, allowed: bool) -> bool:
    """Whether a face is enough by itself: the operator has said so for this point, the model's card proves what that
    takes, and the face seemed to live. Anything less confirms or contradicts a card, and opens nothing."""
    return allowed and seen.assurance == "high" and seen.liveness.startswith("passive:")


def is_emergency(plate: Plate) -> bool:
    """Fire engines and ambulances (应急): class 99 by code, so the number itself says it."""
    kind = classify(plate.number)
    return kind is not None and kind.name == "emergency"


def _judge(holder: Holder, point: str, today: date) -> Decision:
    if holder.status != "active":
        return Decision(Verdict.DENY, _DENIED_BY_STATUS.get(holder.status, Reason.BLOCKED), holder)
    if holder.valid_from is not None and today < holder.valid_from:
        return Decision(Verdict.DENY, Reason.NOT_YET, holder)
    if holder.valid_until is not None and today > holder.valid_until:
        return Decision(Verdict.DENY, Reason.EXPIRED, holder)
    if holder.points is not None and point not in holder.points:
        return Decision(Verdict.DENY, Reason.NO_RIGHT, holder)
    return Decision(Verdict.GRANT, Reason.OK, holder)
