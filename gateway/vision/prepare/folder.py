"""A model's folder appears whole or not at all: written beside its place, synced, then renamed into it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from gateway.errors import unwritten
from gateway.ownership import give
from gateway.vision.catalogue import CARD
from gateway.vision.prepare.recipe import Recipe


def is_made(folder: Path, recipe: Recipe) -> bool:
    """Whether the folder holds this recipe's files, unaltered, with this card."""
    try:
        files = {name: (folder / name).read_bytes() for name in recipe.files}
        return (folder / CARD).read_text(encoding="utf-8") == recipe.with_files(files) and bool(files)
    except (OSError, UnicodeDecodeError):
        return False


def make(folder: Path, recipe: Recipe, files: dict[str, bytes]) -> None:
    """Write the folder anew, whatever is there. Raises `StoreError` where the disk refuses."""
    try:
        folder.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the data folder: nobody else's
        folder.parent.mkdir(exist_ok=True)
        give(folder.parent, folder.parent.parent)
        for left in folder.parent.glob(f".{folder.name}-*"):  # of a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, data in {**files, CARD: recipe.with_files(files).encode()}.items():
                _write(fresh / name, data)
            fresh.chmod(0o755)  # mkdtemp makes it private; a model is no secret and the service must read it
            for path in (*fresh.iterdir(), fresh):
                give(path, folder.parent)
            _sync(fresh)
            _swap(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise unwritten(folder, error) from error


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o644)
    path.chmod(0o644)  # whatever the umask: the service reads what root made
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _swap(fresh: Path, folder: Path) -> None:
    """A folder cannot replace a folder that is not empty: the old one is moved away first."""
    old = fresh.with_name(fresh.name + ".old")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
