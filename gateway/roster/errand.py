"""`python -m gateway.roster.errand`: one change of the roster that a platform ordered, in a process of its own.

Rule: the door process never loads what writes the roster (sqlite-utils); it starts this, for one change. On standard
input a line of JSON says what to do; what follows is the platform's own message, hostile until parsed. On standard
output comes one line of JSON with nothing in it that a platform may not see: no card number, no name.
"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.errors import GatewayError
from gateway.keys import Keys
from gateway.roster import FILE_NAME, Changes, Delta, OutOfStep, Roster, RosterFaults
from gateway.roster.cells import Fault
from gateway.roster.file import from_objects
from gateway.text import Language, Text

_MOST_FAULTS = 20  # told in one answer
Result = dict[str, Any]


class Errand(BaseModel):
    """What the door process wants done."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    do: Literal["set", "revoke", "erase"]
    data_dir: Path
    points: list[str] = []
    dataset: str = ""
    ref: str = ""


class RosterSet(BaseModel):
    """The body of `roster/{dataset}/set`. `base` is the version it follows; a full one follows none."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={
            "anyOf": [{"required": ["base"]}, {"properties": {"full": {"const": True}}, "required": ["full"]}]
        },
    )

    version: Annotated[int, Field(ge=1, lt=1 << 53)]
    base: Annotated[int, Field(ge=0, lt=1 << 53)] | None = None
    full: bool = False
    items: Annotated[list[dict[str, Any]], Field(max_length=100_000)]
    expires_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _needs_base(self) -> RosterSet:
        if not self.full and self.base is None:
            raise ValueError("needs base, the version it follows, or full = true")
        return self


def perform(errand: Errand, body: bytes) -> Result:
    """Do it; return the answer. Never raises for what `body` says, nor for the disk."""
    try:
        roster = Roster(errand.data_dir / FILE_NAME, Keys(errand.data_dir))
        if errand.do == "set":
            return _set(roster, errand, body)
        if errand.do == "revoke":
            holder = roster.revoke(errand.ref)
            return _done(holder=holder) if holder else _unknown()
        return _done() if roster.erase(errand.ref) else _unknown()
    except OutOfStep as error:
        return {**_failed("out_of_step", error), "version": error.current}
    except RosterFaults as error:
        return {**_failed("faults", error), "faults": [_fault(fault) for fault in error.faults[:_MOST_FAULTS]]}
    except GatewayError as error:
        return _failed("store_failed", error)


def _set(roster: Roster, errand: Errand, body: bytes) -> Result:
    try:
        given = RosterSet.model_validate_json(body)
    except ValidationError as error:
        return _refused("bad_request", _first_fault(error))
    if given.expires_at is not None and given.expires_at <= datetime.now(UTC):
        return _refused("expired", Text("已过期", "it has expired"))
    gone = [item for item in given.items if "deleted" in item]
    for item in gone:
        if item.keys() != {"holder_id", "deleted"} or item["deleted"] is not True or type(item["holder_id"]) is not str:
            example = Text("删除写作 {example}", "write a deletion as {example}")
            return _refused("bad_request", example.with_(example='{"holder_id":"…","deleted":true}'))
    sheet = from_objects(
        [(place, item) for place, item in enumerate(given.items, start=1) if "deleted" not in item], errand.points
    )
    delta = Delta(
        dataset=errand.dataset,
        version=given.version,
        base=None if given.full else given.base,
        rows=sheet.rows,
        gone=[item["holder_id"] for item in gone],
        digest=hashlib.sha256(body).hexdigest(),
        faults=sheet.faults,
    )
    changes = roster.apply(delta)
    return {**_done(**_counts(changes)), "version": given.version}


def _counts(changes: Changes) -> dict[str, int]:
    return {kind: len(getattr(changes, kind)) for kind in ("added", "updated", "removed", "unchanged")}


def _first_fault(error: ValidationError) -> Text:
    """Where and what kind; never the value, which may be a name."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part)[:40] for part in first["loc"]) or "body"
    return Text("{where}：{what}", "{where}: {what}").with_(where=where, what=first["msg"])


def _fault(fault: Fault) -> Result:
    """A fault without the values that it names."""
    told = _CARDS if fault.column == "cards" else fault.fix
    return {"item": fault.line, "column": fault.column, **_both(told)}


_CARDS = Text("卡号格式不对，或此卡属于他人", "not a card number, or the card of another holder")


def _both(text: Text | str) -> Result:
    text = text if isinstance(text, Text) else Text("{it}", "{it}").with_(it=text)
    return {"zh": text.say(Language.ZH), "en": text.say(Language.EN)}


def _done(**facts: Any) -> Result:
    return {"ok": True, "code": "done", "message": _both(Text("已完成", "done")), "result": facts}


def _unknown() -> Result:
    return _refused("unknown_holder", Text("名册中没有此人或此卡", "nobody in the roster has this reference"))


def _refused(code: str, why: Text) -> Result:
    return {"ok": False, "code": code, "message": _both(why)}


def _failed(code: str, error: GatewayError) -> Result:
    return {"ok": False, "code": code, "message": _both(error.message)}


def main() -> int:
    """Read, do, answer."""
    # sqlite-utils takes numpy where it finds it, only to adapt its types: half the start and 26 MB for nothing.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    errand = Errand.model_validate_json(sys.stdin.buffer.readline())
    answer = perform(errand, sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(answer, ensure_ascii=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
