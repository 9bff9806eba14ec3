"""What a scenario needs of the machine: programs, each with the Debian package that has it, and root for mounts.

Rule: nothing is skipped. What is missing is named before anything starts, and the kit fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

PEER: Final = "thingsboard-gateway==3.8.5"  # the open gateway that is nearest to ours
PEER_VENV: Final = Path(__file__).resolve().parents[2] / "chaos-out" / "peer-venv"
ROOT = "root"  # not a program, but needed as they are
DISK = ("mosquitto", ROOT, "mkfs.ext4", "mount", "fsfreeze")
_PACKAGES = {
    "mosquitto": "mosquitto",
    "mosquitto_passwd": "mosquitto",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "fsfreeze": "util-linux",
    "gcc": "gcc libc6-dev",
    "ffmpeg": "ffmpeg",
    "rabbitmq-server": "rabbitmq-server",
    "nats-server": "nats-server",
}
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def missing(needs: Iterable[Sequence[str]]) -> str:
    """One or two lines that say what is missing and how to get it; empty where nothing is."""
    wanted = {one for each in needs for one in each}
    programs = sorted(one for one in wanted - {ROOT} if shutil.which(one, path=_PATH) is None)
    said = []
    if programs:
        packages = sorted({_PACKAGES[program] for program in programs})
        said.append(
            f"missing: {', '.join(programs)}. As root: apt-get install --no-install-recommends {' '.join(packages)}"
        )
    if ROOT in wanted and os.geteuid() != 0:
        said.append("disks of one's own need root: run it as root, or name scenarios without a disk")
    return "\n".join(said)


def install(package: str, place: Path) -> str:
    """Give it a virtual environment of its own, where it has none that is whole; what went wrong."""
    whole = place / "whole"
    if whole.exists():
        return ""
    pip = [f"{place}/bin/pip", "install", "--quiet", "--disable-pip-version-check", package]
    for line in ([sys.executable, "-m", "venv", "--clear", str(place)], pip):
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
            return f"{package} cannot be installed from PyPI. {' '.join(line)}: {said}"
    whole.touch()
    return ""
