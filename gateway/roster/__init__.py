"""The roster: the local copy of who may pass.

roster.py     what the rest of the house uses         reading.py  SQLite for the daemon: small and plain
file.py       CSV and JSON files, as staff write them  writing.py  schema, migrations and inserts, by sqlite-utils
cells.py      one row of such a file, cell by cell
conflicts.py  what contradicts itself across rows
"""

from gateway.roster.roster import ABSENT, FILE_NAME, Changes, Roster, RosterFaults

__all__ = ["ABSENT", "FILE_NAME", "Changes", "Roster", "RosterFaults"]
