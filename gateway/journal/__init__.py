"""The journal: where events stay until every uplink has them and their time is over.

journal.py  what the rest of the house uses            rows.py      reading, also from another process
entry.py    an event as it goes into the file          schema.py    how the file is opened
file.py     transactions without a gap                 migrations.py  the tables, and how older ones get there
sequence.py the sequence, remembered outside the file  purge.py     what goes, and how that is told
repair.py   a damaged file set aside and carried over  pages.py     records read without SQLite
chain.py    hashes over alarms and audit rows          audit.py     was anything touched
restamp.py  the time of what came before the clock     weights.py   bytes per class
ballast.py  room for the last alarm                    values.py    a row, a cursor, what is pending
ages.py     how old what came before the clock is
"""

from gateway.journal.entry import Entry, write_down
from gateway.journal.journal import FolderInUse, Journal
from gateway.journal.rows import JournalReader
from gateway.journal.schema import DiskFull
from gateway.journal.values import Cursor, Pending, Row

__all__ = ["Cursor", "DiskFull", "Entry", "FolderInUse", "Journal", "JournalReader", "Pending", "Row", "write_down"]
