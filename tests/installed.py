"""The program as staff install it: a wheel in a virtual environment of its own, without a download.

Rule: nothing of the checkout is on the path; only the dependencies are borrowed, from the environment of the tests.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEPENDENCIES = Path(sysconfig.get_path("purelib"))

_BORROW = "import sys, sysconfig; open(sysconfig.get_path('purelib') + '/borrowed.pth', 'w').write(sys.argv[1] + '\\n')"


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into `folder`."""
    line = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def install_commands(python: str, venv: str, wheel: str, dependencies: str) -> list[list[str]]:
    """How the wheel gets into a new environment `venv`; all paths as the installing machine sees them.

    `dependencies` is on the path without its .pth files: the editable install of the checkout is not among them.
    """
    own_python = f"{venv}/bin/python"
    pip = [own_python, f"{dependencies}/pip", "--disable-pip-version-check", "install", "--quiet"]
    return [
        [python, "-m", "venv", "--without-pip", venv],
        [*pip, "--no-deps", "--no-index", "--ignore-installed", "--root-user-action=ignore", wheel],
        [own_python, "-c", _BORROW, dependencies],
    ]


def install(wheel: Path, venv: Path) -> Path:
    """Install the wheel here; the path of `compound-gateway`."""
    for line in install_commands(sys.executable, str(venv), str(wheel), str(DEPENDENCIES)):
        done = subprocess.run(line, cwd=venv.parent, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return venv / "bin" / "compound-gateway"
