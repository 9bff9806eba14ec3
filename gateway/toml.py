"""TOML as outsiders write it: the configuration, model cards, lists of models.

Rule: whatever cannot be taken is a `tomllib.TOMLDecodeError` that names its line. The parser of the standard library
calls itself for each level and leaves endless numbers to `int`, which both end in errors of their own.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

DEEPEST = 50  # levels of tables and lists; a configuration has four
_LONG_NUMBER = re.compile(r"[0-9A-Fa-f_]{1000,}")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'')


def read_toml(text: str) -> dict[str, Any]:
    """Parse. Raises `TOMLDecodeError`, and nothing else."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError as error:
        raise _too_deep(text) from error
    except ValueError as error:  # of `int`: it has thousands of digits
        found = _LONG_NUMBER.search(text)
        raise _at("Number too long", text.count("\n", 0, found.start()) + 1 if found else 0) from error
    if _is_deep(table):
        raise _too_deep(text)
    return table


def unquoted(line: str) -> str:
    """A line without its texts in quotes and without its comment."""
    return _STRING.sub("", line).partition("#")[0]


def _is_deep(table: dict[str, Any]) -> bool:
    level: list[Any] = [table]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        level = [inner for inner in level if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _too_deep(text: str) -> tomllib.TOMLDecodeError:
    """The first line on which too many brackets are open, or whose key has too many parts."""
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        bare = unquoted(line)
        opened = bare.count("[") + bare.count("{")
        if depth + opened > DEEPEST or bare.count(".") > DEEPEST:
            return _at("Nested too deeply", number)
        depth = max(0, depth + opened - bare.count("]") - bare.count("}"))
    return _at("Nested too deeply", 0)


def _at(what: str, line: int) -> tomllib.TOMLDecodeError:
    return tomllib.TOMLDecodeError(f"{what} (at line {line}, column 1)" if line else what)
