"""What a command may say: the body of `cmd/{request_id}`.

Rule: unknown keys and wrong types are refused by name, and no value of the sender is quoted back.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.downlink.answers import Code, Refusal
from gateway.errors import Rejected
from gateway.privacy import refuse_face_data
from gateway.text import Text
from gateway.types import CommandName, ShotKind

MAX_BYTES = 64 << 10
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
DATASET = "holders"  # the only one: the roster
_MOST_RESENT = 100_000  # sequences in one order


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Call(Message):
    """The envelope of every command."""

    command: Annotated[str, Field(max_length=64)]
    expires_at: AwareDatetime
    args: dict[str, Any] = {}
    request_id: str | None = None


class NoArgs(Message):
    pass


class Unread(BaseModel):
    """Arguments of a command that this gateway cannot carry out, whatever they are."""

    model_config = ConfigDict(extra="allow")


class At(Message):
    point: Annotated[str, Field(max_length=64)]


class Which(Message):
    dataset: Annotated[str, Field(max_length=64)] = DATASET


class Whom(Message):
    holder_ref: Annotated[str, Field(pattern=r"^h:[0-9a-f]{16}$")]


class What(Message):
    """A card, or all that a holder has."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["credential_ref"]}, {"required": ["holder_ref"]}]}
    )

    credential_ref: Annotated[str, Field(pattern=r"^c:[0-9a-f]{16}$")] | None = None
    holder_ref: Annotated[str, Field(pattern=r"^h:[0-9a-f]{16}$")] | None = None

    @model_validator(mode="after")
    def _one(self) -> What:
        if (self.credential_ref is None) == (self.holder_ref is None):
            raise ValueError("give either credential_ref or holder_ref")
        return self

    @property
    def ref(self) -> str:
        return self.credential_ref or self.holder_ref or ""


class Picture(Message):
    """One picture of an event, which `data.capture` names."""

    capture: Annotated[str, Field(max_length=64)]
    kind: Annotated[ShotKind, Field(strict=False)] = ShotKind.PLATE


class Range(Message):
    """Sequences, both included."""

    first: Annotated[int, Field(alias="from", ge=1, lt=1 << 53)]
    last: Annotated[int, Field(alias="to", ge=1, lt=1 << 53)]

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if not 0 <= self.last - self.first < _MOST_RESENT:
            raise ValueError(f"from must not be after to, nor more than {_MOST_RESENT} before it")
        return self


ARGUMENTS: dict[CommandName, type[BaseModel]] = {
    CommandName.DOOR_OPEN: At,
    CommandName.BARRIER_OPEN: At,
    CommandName.ROSTER_SYNC: Which,
    CommandName.CREDENTIAL_REVOKE: What,
    CommandName.PERSON_ERASE: Whom,
    CommandName.EVENT_RESEND: Range,
    CommandName.CAPTURE_GET: Picture,
    CommandName.NOTICE_SHOW: Unread,
    CommandName.CONFIG_GET: NoArgs,
    CommandName.PING: NoArgs,
}


def is_request_id(text: str) -> bool:
    """Whether it can stand in an event: plain, short, and nothing that the privacy guard would stop."""
    try:
        refuse_face_data({"request_id": text})
    except Rejected:
        return False
    return REQUEST_ID.fullmatch(text) is not None


def read_call(payload: bytes, request_id: str) -> tuple[CommandName, Call]:
    """Parse the envelope. Raises `Refusal`."""
    if not is_request_id(request_id):
        what = Text("请求编号须为 1–64 个字母、数字或 . _ : -", "a request id is 1 to 64 letters, digits or . _ : -")
        raise Refusal(Code.BAD_REQUEST, what)
    if len(payload) > MAX_BYTES:
        raise Refusal(Code.TOO_LARGE, Text("指令大于 64 KiB", "a command has at most 64 KiB"))
    try:
        call = Call.model_validate_json(payload)
    except ValidationError as error:
        raise _refusal(error, "") from error
    if call.request_id not in (None, request_id):
        words = Text("request_id 与主题不一致", "request_id differs from that of the topic")
        raise Refusal(Code.BAD_REQUEST, words)
    try:
        return CommandName(call.command), call
    except ValueError as error:
        known = Text("没有此指令；可用：{names}", "there is no such command; known: {names}")
        raise Refusal(Code.UNKNOWN_COMMAND, known.with_(names=", ".join(CommandName))) from error


def read_arguments(name: CommandName, call: Call) -> BaseModel:
    """Parse the arguments of a command. Raises `Refusal`."""
    try:
        return ARGUMENTS[name].model_validate(call.args)
    except ValidationError as error:
        raise _refusal(error, "args.") from error


def _refusal(error: ValidationError, prefix: str) -> Refusal:
    """The first fault, by its place and kind."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part)[:40] for part in first["loc"])
    words = Text("{where}：{what}", "{where}: {what}")
    return Refusal(Code.BAD_REQUEST, words.with_(where=f"{prefix}{where}".rstrip(".") or "body", what=first["msg"]))
