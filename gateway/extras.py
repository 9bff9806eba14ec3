"""How to get what does not come with the program: its extras, by the pip of the environment that it runs in.

Rule: no bare `pip`. Debian's own refuses, and another one would install elsewhere.
"""

from __future__ import annotations

import sys

PIP = f"{sys.prefix}/bin/pip"


def install(extra: str) -> str:
    """The command that adds an extra to the program as it is installed."""
    return f"{PIP} install 'compound-gateway[{extra}]'"
