"""Events in the words of staff."""

from __future__ import annotations

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
