"""What is said to an order, and the watermark."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from gateway.messages.common import Count, Moment, Sequence

Ok = Annotated[bool | None, Field(description="Null: accepted, under way; another answer follows.")]
Code = Annotated[str, Field(pattern="^[a-z_]+$", description="For programs; docs/platform.md lists them.")]
Words = Annotated[str, Field(description="For people, in the site's language.")]


class Watermark(TypedDict):
    """Everything up to `seq` has been stored by the platform."""

    seq: Sequence


class Reply(TypedDict):
    """The outcome of a command."""

    request_id: str
    command: Annotated[str | None, Field(description="Null where the message could not be read.")]
    time: Moment
    ok: Ok
    code: Code
    message: Words
    result: dict[str, Any]


class RosterFault(TypedDict):
    """What is wrong with an item, counted from 1. No value is repeated."""

    item: Count
    column: str
    zh: str
    en: str


class RosterResult(TypedDict, total=False):
    version: int
    added: Count
    updated: Count
    removed: Count
    unchanged: Count
    faults: list[RosterFault]


class RosterAck(TypedDict):
    """The outcome of a roster, or of a change of it."""

    dataset: str
    version: Annotated[int | None, Field(description="The version in force; null while the disk does not tell.")]
    time: Moment
    ok: Ok
    code: Code
    message: Words
    result: NotRequired[RosterResult]
