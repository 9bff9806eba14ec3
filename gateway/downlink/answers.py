"""What goes back to the platform: a code for its program, words for its staff.

Rule: every order that is not ignored gets one; `ok` is null while it is not finished.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.errors import Rejected
from gateway.text import Language, Text


class Code(StrEnum):
    """How it ended. docs/platform.md lists them."""

    DONE = "done"
    UNDER_WAY = "under_way"
    # refused
    NOT_ALLOWED = "not_allowed"
    CLOCK_UNSYNCED = "clock_unsynced"
    EXPIRED = "expired"
    EXPIRES_TOO_LATE = "expires_too_late"
    BAD_REQUEST = "bad_request"
    TOO_LARGE = "too_large"
    UNKNOWN_COMMAND = "unknown_command"
    REQUEST_ID_REUSED = "request_id_reused"
    UNSUPPORTED = "unsupported"
    BUSY = "busy"
    # the thing itself
    UNKNOWN_POINT = "unknown_point"
    WRONG_KIND = "wrong_kind"
    NO_ACTUATOR = "no_actuator"
    DEVICE_OFFLINE = "device_offline"
    UNKNOWN_HOLDER = "unknown_holder"
    UNKNOWN_DATASET = "unknown_dataset"
    UNKNOWN_CAPTURE = "unknown_capture"
    OUT_OF_STEP = "out_of_step"
    FAULTS = "faults"
    STORE_FAILED = "store_failed"
    UNKNOWN_OUTCOME = "unknown_outcome"


class Refusal(Rejected):
    """An order that is not obeyed; `code` says why."""

    def __init__(self, code: Code, message: Text) -> None:
        super().__init__(message)
        self.code = code
        self.words = message


@dataclass(frozen=True, slots=True)
class Answer:
    """How an order ended. `facts` go to the audit, never to the platform; neither holds a secret."""

    code: Code
    words: Text = field(default_factory=lambda: Text("已完成", "done"))
    result: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool | None:
        return None if self.code is Code.UNDER_WAY else self.code is Code.DONE

    def body(self, head: Mapping[str, Any], language: Language) -> bytes:
        """The message: `head` names the request."""
        said = {**head, "ok": self.ok, "code": self.code.value, "message": self.words.say(language)}
        return to_json({**said, "result": self.result})


def to_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


UNDER_WAY = Answer(Code.UNDER_WAY, Text("已接受，正在执行", "accepted, under way"))
BUSY = Answer(Code.BUSY, Text("指令过多，请稍后再试", "too many orders wait; try again later"))
STOPPING = Answer(Code.BUSY, Text("网关正在停止，请稍后再试", "the gateway is stopping; try again later"))
