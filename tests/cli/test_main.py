"""What holds for every command."""

from __future__ import annotations

import subprocess
import sys

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
