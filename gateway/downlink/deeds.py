"""What each command does.

Rule: a deed takes a moment or is an errand; nothing here waits. What it answers holds no secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from gateway import __version__
from gateway.captures import is_capture
from gateway.clock import boot_id
from gateway.downlink.answers import Answer, Code, Refusal
from gateway.downlink.calls import DATASET, At, NoArgs, Picture, Range, What, Which, Whom
from gateway.downlink.disclosure import public_settings
from gateway.downlink.doors import Doors
from gateway.downlink.pictures import Pictures
from gateway.journal import Journal
from gateway.roster import Roster
from gateway.settings import Settings
from gateway.text import Text
from gateway.types import CommandName
from gateway.uplink import Order, Resend

_UNSUPPORTED = {
    CommandName.NOTICE_SHOW: Text("此网关没有显示设备", "this gateway has no display"),
}


@dataclass(frozen=True, slots=True)
class Later:
    """A deed that changes the roster: what the errand is told, and what is done before it."""

    head: Mapping[str, Any]
    first: Callable[[], Mapping[str, Any]] = dict


@dataclass(frozen=True, slots=True)
class Deeds:
    """Everything a command may reach. `erase_faces` returns how many templates there were.

    `in_force` are the settings as a reload left them; what `settings` is asked for here takes a restart to change.
    """

    settings: Settings
    in_force: Callable[[], Settings]
    journal: Journal
    roster: Roster
    holders: Callable[[], int]
    doors: Doors
    erase_faces: Callable[[str], int]
    pictures: Pictures

    def do(self, name: CommandName, args: BaseModel, order: Order, request_id: str) -> Answer | Later:
        """Carry out one command. Raises `Refusal` or `StoreError`."""
        match args:
            case At():
                return self.doors.open(name, args.point, order.uplink, request_id, order.arrived)
            case Range():
                return self._resend(args, order)
            case Picture():
                return self.pictures.get(args, order.uplink)
            case What():
                return Later({"do": "revoke", "ref": args.ref})
            case Whom():
                return Later({"do": "erase", "ref": args.holder_ref}, partial(self._erase_faces, args.holder_ref))
            case Which():
                check_dataset(args.dataset)
                version = self.roster.dataset(DATASET)
                return Answer(Code.DONE, result={"dataset": DATASET, "version": version, "holders": self.holders()})
            case NoArgs() if name is CommandName.CONFIG_GET:
                return Answer(Code.DONE, result=public_settings(self.in_force(), order.uplink))
            case NoArgs():
                uptime_ms = round(time.monotonic() * 1000)
                said = {"version": __version__, "boot_id": boot_id(), "uptime_ms": uptime_ms}
                return Answer(Code.DONE, result={**said, "last_seq": self.journal.last_seq})
        raise Refusal(Code.UNSUPPORTED, _UNSUPPORTED[name])

    def facts(self, args: BaseModel) -> Mapping[str, Any]:
        """What the audit says of the arguments."""
        match args:
            case At() if args.point in self.settings.points:
                return {"point": args.point}
            case Range():
                return {"from": args.first, "to": args.last}
            case Picture():
                return {"capture": args.capture if is_capture(args.capture) else "?", "kind": args.kind.value}
            case Whom():
                return {"holder": {"ref": args.holder_ref}}
            case What():
                return (
                    {"credential_ref": args.credential_ref}
                    if args.credential_ref
                    else {"holder": {"ref": args.holder_ref}}
                )
        return {}

    def _resend(self, wanted: Range, order: Order) -> Answer:
        classes = self.settings.uplinks[order.uplink].classes
        last = min(wanted.last, self.journal.last_seq)
        count = self.journal.count_after(wanted.first - 1, classes, upto=last)
        if count:
            order.outbox.put(Resend(wanted.first - 1, last))
        return Answer(Code.DONE, result={"from": wanted.first, "to": wanted.last, "count": count})

    def _erase_faces(self, holder_ref: str) -> Mapping[str, Any]:
        return {"erased": self.erase_faces(holder_ref)}


def check_dataset(name: str) -> None:
    """Raises `Refusal` for a dataset that this gateway does not have."""
    if name != DATASET:
        words = Text("没有此数据集；可用：{name}", "there is no such dataset; known: {name}").with_(name=DATASET)
        raise Refusal(Code.UNKNOWN_DATASET, words)
