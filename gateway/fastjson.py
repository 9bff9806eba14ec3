"""JSON where every event passes: its data into the journal and out of it, its message to a platform.

Rule: `write` only what the privacy guard has passed. orjson would write NaN as null and refuse whole numbers of more
than 64 bits; the guard has refused both by then, by name. What outsiders send is read by `json` or pydantic instead,
whose errors are known; so are facts that are read once.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

_AS_JSON = orjson.OPT_NON_STR_KEYS  # an enum of text is text, also as a key


def write(value: Any) -> bytes:
    """Without spaces, in UTF-8, keys in their order. Raises `TypeError` for what is no JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an enum among its keys: to allow for them costs all others half as much again
        return orjson.dumps(value, option=_AS_JSON)


def read(text: str) -> Any:
    """What `write` or the standard library wrote. Raises `ValueError` for what neither can have written."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # say NaN, in a row from before the guard refused it: whoever sends it, refuses it
        try:
            return json.loads(text)
        except RecursionError as error:
            raise ValueError("JSON that is nested too deeply") from error
