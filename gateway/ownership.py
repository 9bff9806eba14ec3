"""What a command run by root leaves behind goes to the owner of the data folder, or the daemon could not use it."""

from __future__ import annotations

import os
from pathlib import Path


def give(path: Path, data_dir: Path) -> None:
    """Hand a file or folder to the owner of `data_dir`. Does nothing unless root made it. Raises `OSError`."""
    if os.geteuid() != 0:
        return
    owner = data_dir.stat()
    if owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
