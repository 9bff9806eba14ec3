"""A password, as people save it: one line in a file of its own, from whichever editor."""

from __future__ import annotations

from pathlib import Path

_LONGEST = 1024  # characters: it goes into one field of a protocol


def read_secret(path: Path) -> str:
    """The password, without the end of its line and the mark that Windows' Notepad begins a file with.

    Raises `OSError`, and `UnicodeDecodeError` for what is no text.
    """
    with path.open(encoding="utf-8-sig") as stream:
        return stream.read(_LONGEST).strip("\r\n")
