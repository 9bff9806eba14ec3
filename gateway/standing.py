"""An alarm that the box raises about itself: told when it rises, when it gets worse or better, and at its end.

Rule: what a platform was told and what is so do not drift apart, not even by a restart: whether it stands is read from
the journal.
"""

from __future__ import annotations

from typing import Any

from gateway.clock import Stamp
from gateway.journal import JournalReader
from gateway.types import Event


class StandingAlarm:
    """`name` as in `alarm.storage_low`. Severity 1 is the worst; None: all is well."""

    def __init__(self, name: str, subject: str) -> None:
        self._name = name
        self._subject = subject
        self._severity: int | None = None

    @property
    def severity(self) -> int | None:
        return self._severity

    def recall(self, journal: JournalReader) -> None:
        """Take up what the process before this one left. Raises `StoreError`."""
        last = journal.newest(self._name)
        if last is not None and last.data.get("state") != "cleared":
            self._severity = int(last.data.get("severity", 1))

    def set(self, severity: int | None, at: Stamp, **data: Any) -> list[Event]:
        """What is to be told, if anything."""
        before, self._severity = self._severity, severity
        if severity == before:
            return []
        state = "cleared" if severity is None else "raised" if before is None else "updated"
        facts = {"state": state, "severity": severity if severity is not None else before, **data}
        return [Event(self._name, self._subject, at, facts)]
