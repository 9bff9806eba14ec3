"""Events in the words of staff."""

from __future__ import annotations

import pytest

from gateway.text import Language
from gateway.wording import describe


def test_a_face_that_was_erased_is_not_called_registered() -> None:
    said = describe("audit.face_erased", "faces", {"holder": {"ref": "h:1fc69efebfdbe774"}})
    assert said.say(Language.ZH) == "已删除人脸：h:1fc69efebfdbe774"
    assert said.say(Language.EN) == "a face was erased: h:1fc69efebfdbe774"


def test_an_event_without_its_usual_data_has_words_all_the_same() -> None:
    assert describe("access.granted", "east-door", {}).say(Language.EN) == "east-door: card granted, in the roster"
    assert describe("audit.face_enrolled", "faces", {"holder": None}).say(Language.EN) == "a face was enrolled: ?"
    assert describe("door.news", "x", {}).say(Language.ZH) == "x：door.news"


def test_staff_read_the_names_that_they_gave_to_points() -> None:
    names = {"east-door": "东门人行1"}
    said = describe("access.denied", "east-door", {"point": "east-door", "reason": "expired"}, names)
    assert said.say(Language.ZH) == "东门人行1：刷卡未放行，已过期"


def test_a_grant_that_opened_nothing_says_so() -> None:
    """The resident says that the door stayed shut; the list must not say that it opened."""
    card, car = {"granted": True, "opened": False}, {"plate_no": "鄂J12345", "reason": "ok", "opened": False}
    said = describe("access.granted", "east-door", card)
    assert said.say(Language.ZH) == "east-door：刷卡放行，已登记；门未打开"
    assert said.say(Language.EN) == "east-door: card granted, in the roster; the door was not opened"
    assert describe("vehicle.passed", "gate", car).say(Language.ZH) == "gate：车辆放行 鄂J12345，准许；未抬杆"
    assert "；" not in describe("vehicle.passed", "gate", {**car, "opened": True}).say(Language.ZH)
    denied = {"reason": "expired", "opened": False}
    assert describe("access.denied", "east-door", denied).say(Language.ZH) == "east-door：刷卡未放行，已过期"


def test_a_picture_that_is_none_is_named_and_cannot_write_on_the_terminal() -> None:
    """`events` told that some picture was no picture, not which one; a stranger chose its name."""
    data = {"detail": "it is cut off", "source_file": "a\x1b[2Jb\n.jpg"}
    said = describe("device.fault", "gate-cam", data).say(Language.EN)
    assert said == "device gate-cam has a fault: a?[2Jb?.jpg: it is cut off"


def test_who_was_refused_is_said_where_the_roster_knows_it() -> None:
    """Who stands at the desk says "my card does not work"; staff must find that person's line."""
    lost = {"reason": "lost", "holder": {"id": "r-0508", "room": "3-1-0508"}}
    assert describe("access.denied", "door", lost).say(Language.ZH) == "door：刷卡未放行，已挂失，3-1-0508"
    assert describe("access.denied", "door", lost).say(Language.EN) == "door: card denied, reported lost, 3-1-0508"
    visitor = {"reason": "expired", "plate_no": "沪B30527", "holder": {"id": "v-1122-1"}}
    assert describe("vehicle.denied", "gate", visitor).say(Language.ZH) == "gate：车辆未放行 沪B30527，已过期，v-1122-1"
    assert describe("access.granted", "door", visitor).say(Language.ZH) == "door：刷卡放行，v-1122-1"
    assert describe("access.denied", "door", {"reason": "unknown"}).say(Language.ZH) == "door：刷卡未放行，未登记"


@pytest.mark.parametrize("cause", ["retention", "budget", "space", "damage", "overflow", "refused"])
def test_why_events_are_gone_is_said_in_chinese(cause: str) -> None:
    said = describe("loss", "journal", {"count": 3, "cause": cause}).say(Language.ZH)
    assert said.isascii() is False
    assert cause not in said


def test_what_came_of_a_command_is_said_in_chinese() -> None:
    done = describe("audit.command", "box-1", {"command": "door.open", "code": "done"})
    assert done.say(Language.ZH) == "平台指令 door.open：已执行"
    refused = describe("audit.command", "box-1", {"command": "door.open", "code": "expired"})
    assert refused.say(Language.ZH) == "平台指令 door.open：未执行（expired）"


def test_a_check_says_whom_to_look_at_and_how_it_ended() -> None:
    names = {"gate": "东门车行"}
    card = {"point": "gate", "method": "card", "reason": "unknown"}
    car = {**card, "method": "plate", "plate_no": "沪B30527"}
    unread = {**card, "method": "plate", "reason": "uncertain"}
    assert describe("check.required", "gate", card, names).say(Language.ZH) == "东门车行：请查验来人，未登记"
    assert describe("check.required", "gate", car, names).say(Language.ZH) == "东门车行：请查验车辆 沪B30527，未登记"
    assert describe("check.required", "gate", unread).say(Language.EN) == "gate: look at the car, no readable plate"
    unsure = {**unread, "candidate": "沪B3052S"}
    assert describe("check.required", "gate", unsure).say(Language.ZH) == (
        "gate：请查验车辆，车牌看不清，可能是 沪B3052S"
    )
    result = {"point": "gate", "check": "x", "outcome": "refused", "by": "operator", "operator": "li"}
    assert describe("check.result", "gate", result).say(Language.EN) == (
        "gate: the check has ended, turned away, written down by li"
    )
    late = {**result, "outcome": "unanswered", "by": "time"}
    assert describe("check.result", "gate", late).say(Language.ZH) == "gate：查验结束，无人处理，已超时"
    audit = {"by": "stop", "outcome": "admitted"}  # an account may have any name
    assert describe("audit.check_answered", "gate", audit).say(Language.ZH) == "stop 在网关上登记查验结果：已放行"


def test_a_check_that_says_little_has_words_all_the_same() -> None:
    assert describe("check.required", "gate", {}).say(Language.EN) == "gate: look who is there, card ?"
    assert describe("check.result", "gate", {"by": ["x"]}).say(Language.EN) == "gate: the check has ended, ?, ?"
