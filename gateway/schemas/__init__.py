"""What platforms read of the messages: JSON Schemas and an AsyncAPI document, made from the code's own models.

kinds.py         every kind of message, its model and how it goes over the wire
json_schema.py   one JSON Schema a file
asyncapi.py      topics, directions, QoS and messages in one AsyncAPI 3 document

Rule: nothing here is written twice. `make schemas` writes docs/schemas and docs/asyncapi.json; a test compares them
with the code, and another holds every message of a running gateway to them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.schemas.asyncapi import asyncapi
from gateway.schemas.json_schema import json_schemas


def write(folder: Path) -> list[Path]:
    """Write `asyncapi.json` and `schemas/*.json` below `folder`; return the files."""
    files = {folder / "asyncapi.json": asyncapi()}
    files |= {folder / "schemas" / f"{name}.json": schema for name, schema in json_schemas().items()}
    for path, document in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(as_text(document), encoding="utf-8")
    return sorted(files)


def as_text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


__all__ = ["as_text", "asyncapi", "json_schemas", "write"]
