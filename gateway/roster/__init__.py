"""The roster: the local copy of who may pass.

roster.py     what the rest of the house uses         reading.py  SQLite for the daemon: small and plain
file.py       CSV and JSON files, as staff write them  writing.py  schema, migrations and inserts, by sqlite-utils
changes.py    what is to change, and what it did
errand.py     one change in a process of its own
cells.py      one row of such a file, cell by cell
conflicts.py  what contradicts itself across rows
"""

from gateway.roster.changes import Changes, Delta, OutOfStep, RosterFaults
from gateway.roster.roster import ABSENT, FILE_NAME, Roster, points_named

__all__ = ["ABSENT", "FILE_NAME", "Changes", "Delta", "OutOfStep", "Roster", "RosterFaults", "points_named"]
