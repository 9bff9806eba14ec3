"""Where the files that ship with the program lie: in a wheel under gateway/share, in a checkout beside the package.

And how to get what does not ship with it.

Rule: nothing else in the program knows the difference.
"""

from __future__ import annotations

import sys
from pathlib import Path

PIP = f"{sys.prefix}/bin/pip"  # of this environment: Debian's own refuses, and would install elsewhere
_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """The shipped folder of that name ("models", "config", "systemd"). It is read only."""
    in_wheel = _PACKAGE / "share" / folder
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / folder


def install(extra: str) -> str:
    """The command that adds an extra to the program as it is installed."""
    return f"{PIP} install 'compound-gateway[{extra}]'"
