"""Where the files that ship with the program lie: in a wheel under gateway/share, in a checkout beside the package.

Rule: nothing else in the program knows the difference.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """The shipped folder of that name ("models", "config", "systemd"). It is read only."""
    in_wheel = _PACKAGE / "share" / folder
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / folder
