"""What holds for every command."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_CHILD = "import resource; print(*resource.getrlimit(resource.RLIMIT_CORE))"
_PROGRAM = f"""
import subprocess, sys
from gateway.cli import main
try:
    main()
except SystemExit:
    pass
subprocess.run([sys.executable, "-c", {_CHILD!r}])
"""


def test_neither_a_command_nor_its_children_leave_a_core_dump() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert {int(limit) for limit in done.stdout.splitlines()[-1].split()} <= {0, 1}, done.stdout


@pytest.mark.parametrize("encoding", ["big5", "latin-1"])
def test_no_command_ends_at_a_character_that_the_terminal_lacks(encoding: str) -> None:
    said = {}
    for name in (encoding, "utf-8"):
        environment = {**os.environ, "PYTHONIOENCODING": name}
        command = [sys.executable, "-m", "gateway", "models", "list", "--help"]
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
        said[name] = done.stdout.decode(name)
    assert said[encoding] == said["utf-8"].encode(encoding, "backslashreplace").decode(encoding)
