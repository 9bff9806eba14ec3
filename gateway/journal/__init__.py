"""The journal: where events stay until every uplink has them and their time is over.

journal.py  what the rest of the house uses            rows.py      reading, also from another process
entry.py    an event as it goes into the file
file.py     transactions without a gap                 schema.py    tables, and how the file is opened
sequence.py the sequence, remembered outside the file  purge.py     what goes, and how that is told
repair.py   a damaged file set aside and carried over  pages.py     records read without SQLite
"""

from gateway.journal.entry import Entry, write_down
from gateway.journal.journal import FolderInUse, Journal
from gateway.journal.rows import Cursor, JournalReader, Pending, Row

__all__ = ["Cursor", "Entry", "FolderInUse", "Journal", "JournalReader", "Pending", "Row", "write_down"]
