"""docs/platform.md is what a platform is written from: its examples are valid and its lists complete."""

from __future__ import annotations

import json
import re
from pathlib import Path

from gateway.downlink.answers import Code
from gateway.downlink.calls import read_arguments, read_call
from gateway.roster.errand import RosterSet
from gateway.roster.file import from_objects
from gateway.types import CommandName

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "platform.md").read_text(encoding="utf-8")


def test_every_command_and_every_code_is_there() -> None:
    assert not [name for name in (*CommandName, *Code) if f"`{name.value}`" not in PAGE]


def test_the_examples_are_valid() -> None:
    (command,) = re.findall(r"-m '(.*)'", PAGE)
    name, call = read_call(command.encode(), "7f3a")
    read_arguments(name, call)
    (roster,) = (block for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL) if '"items"' in block)
    given = RosterSet.model_validate_json(roster)
    sheet = from_objects([(1, item) for item in given.items if "deleted" not in item])
    assert not sheet.faults
    assert sheet.rows
    (reply,) = (block for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL) if '"request_id"' in block)
    assert json.loads(reply)["code"] in set(Code)
