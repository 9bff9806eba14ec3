"""What a command leaves for the journal, so that changes made at the box have an author too."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import language
from gateway.errors import StoreError
from gateway.text import Text, on_one_line

if TYPE_CHECKING:
    from gateway.roster import Changes
    from gateway.settings import Settings

_LONGEST = 32  # characters of a name
_UNTOLD = Text(
    "更改已生效，但未能记入审计（{error}）：请腾出磁盘空间，并书面记下此次更改",
    "the change counts, but is in no audit ({error}): make room on the disk, and write the change down on paper",
)


def leave(settings: Settings, name: str, subject: str, data: dict[str, Any]) -> None:
    """Leave an audit event in the spool, synced. Raises `StoreError`."""
    from gateway.clock import now
    from gateway.spool import FOLDER, Spool
    from gateway.types import Event

    Spool(settings.gateway.data_dir / FOLDER).put(Event(name, subject, now(), data))


def roster_audit(settings: Settings, ref: Callable[[str], str]) -> Callable[[Changes], None]:
    """What the roster calls with each change before it counts. `ref`: the keyed hash of a holder id.

    A full disk is no reason to let a lost card open doors: then it is said that the change is in no audit.
    """

    def audit(changes: Changes) -> None:
        counts = {kind: len(getattr(changes, kind)) for kind in ("added", "updated", "removed")}
        changed = (*changes.added, *changes.updated, *changes.removed)
        if not changed:
            return
        holder = {"holder": {"ref": ref(changed[0])}} if len(changed) == 1 else {}
        try:
            leave(settings, "audit.roster_changed", "roster", {"by": operator(), **counts, **holder})
        except StoreError as error:
            click.echo(_UNTOLD.with_(error=error.say(language())).say(language()), err=True)

    return audit


def operator() -> str:
    """Who gave the command: who called sudo, else whose process this is."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        account = str(os.getuid())
    return on_one_line(os.environ.get("SUDO_USER") or account)[:_LONGEST]
