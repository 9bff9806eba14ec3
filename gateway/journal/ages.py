"""How old a row is that was written while the clock was not set: as old as the next row that was not.

Rule: that next row may lie months away. It is looked for a bounded number of rows at a time, and how far the search has
come is remembered. Until it is found the age is not known, and nothing is deleted for it.
"""

from __future__ import annotations

import sqlite3

from gateway.clock import ClockTrust

STEP = 5000  # rows read in one transaction


class Ages:
    """What is known of one class of events in one file. The rows asked for lie ever later, or are asked for again."""

    def __init__(self) -> None:
        self._after = self._upto = 0  # what lies between them was written while the clock was not set
        self._time_us: int | None = None  # of the row `_upto`, where its clock was set
        self._left = STEP

    def begin(self) -> None:
        """A new transaction: so many rows may be read again."""
        self._left = STEP

    def of(self, connection: sqlite3.Connection, seq: int) -> int | None:
        """Microseconds since 1970 for the unsynced row `seq`; None where that is not known, or not yet."""
        is_past = self._time_us is not None and seq >= self._upto
        if seq < self._after or is_past or self._after == self._upto:
            self._after, self._upto, self._time_us = seq, seq, None
        while self._time_us is None and self._look_on(connection):
            if self._upto <= seq:  # the stretch before the one that was asked for
                self._after, self._time_us = self._upto, None
        return self._time_us

    def _look_on(self, connection: sqlite3.Connection) -> bool:
        """Whether a row was found whose clock was set."""
        following = "SELECT seq, time_us, clock FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
        for seq, time_us, clock in connection.execute(following, (self._upto, self._left)):
            self._upto, self._left = seq, self._left - 1
            if clock != ClockTrust.UNSYNCED.value:
                self._time_us = time_us
                return True
        return False
