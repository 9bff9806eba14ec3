"""The journal: where events stay until every uplink has them and their time is over.

journal.py  what the rest of the house uses            schema.py    tables, and how the file is opened
entry.py    an event as it goes into the file          purge.py     what goes, and how that is told
file.py     transactions without a gap                 repair.py    a damaged file set aside and carried over
rows.py     reading, also from another process         pages.py     records read without SQLite
sequence.py the sequence, remembered outside the file
"""

from gateway.journal.entry import Entry, write_down
from gateway.journal.journal import FolderInUse, Journal
from gateway.journal.rows import Cursor, JournalReader, Pending, Row

__all__ = ["Cursor", "Entry", "FolderInUse", "Journal", "JournalReader", "Pending", "Row", "write_down"]
