"""Where a key stands in a TOML file. The standard parser keeps no positions, so the text is scanned for keys.

Rule: the line of the key itself where it has one, else of the nearest table or key around it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence

from gateway.toml import unquoted

_HEADER = re.compile(r"^\s*\[{1,2}\s*(?P<path>[^\[\]]+?)\s*\]{1,2}\s*(#.*)?$")
_KEY = re.compile(
    r"""^\s*(?P<path>(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


class Lines:
    """Line numbers (from 1) of the keys of one file."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        fence = ""  # the quotes of an open multi-line string
        depth = 0  # open brackets of a multi-line array
        for number, line in enumerate(text.splitlines(), start=1):
            if fence:
                fence = "" if fence in line else fence
                continue
            if depth == 0:
                if header := _HEADER.match(line):
                    table = _parts(header["path"])
                    self._lines.setdefault(table, number)
                    continue
                if key := _KEY.match(line):
                    self._lines.setdefault((*table, *_parts(key["path"])), number)
            for quotes in ('"""', "'''"):
                if line.count(quotes) % 2:
                    fence = quotes
            bare = unquoted(line)
            depth = max(0, depth + bare.count("[") - bare.count("]"))

    def of(self, where: Sequence[str | int]) -> int:
        """The line of a key, or of what stands nearest around it; 0 when nothing of it is in the file."""
        path = tuple(str(part) for part in where)
        while path:
            if path in self._lines:
                return self._lines[path]
            within = [line for known, line in self._lines.items() if known[: len(path)] == path]
            if within:
                return min(within)
            path = path[:-1]
        return 0

    @staticmethod
    def of_decode_error(error: tomllib.TOMLDecodeError, text: str) -> int:
        """The line a syntax error names; the last line where it says only "end of document"."""
        found = re.search(r"at line (\d+)", str(error))
        return int(found[1]) if found else max(1, len(text.splitlines()))


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
