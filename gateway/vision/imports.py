"""Models brought from outside, on a stick: copied whole or not at all.

Rule: what is copied is the card and the files it names, and only after every byte was compared with the card.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from gateway.errors import ModelError, unwritten
from gateway.ownership import give
from gateway.text import Text
from gateway.vision.catalogue import CARD, Model, folders, open_model


def import_folder(source: Path, into: Path) -> list[Model]:
    """Copy the model in `source`, or every model in its sub-folders, into `into`; return what was copied.

    All are verified before the first is copied. Raises `ModelError`, and `StoreError` where the disk refuses.
    """
    found = [source] if (source / CARD).is_file() else list(folders([source]))
    if not found:
        raise ModelError(
            Text("{folder} 里没有模型", "there is no model in {folder}").with_(folder=source),
            hint=Text("目录中应有 {card}", "a model's folder has a {card}").with_(card=CARD),
        )
    models = [open_model(folder) for folder in found]
    for model in models:
        model.verify()
    return [_copy(model, into) for model in models]


def _copy(model: Model, into: Path) -> Model:
    target = into / model.name
    try:
        into.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the data folder: nobody else's
        into.mkdir(exist_ok=True)
        give(into, into.parent)
        fresh = Path(tempfile.mkdtemp(prefix=f".{model.name}-", dir=into))
        try:
            _write(fresh / CARD, (model.folder / CARD).read_bytes())
            for file in model.card.files:
                _write(fresh / file.name, model.read(file.name))
            fresh.chmod(0o755)
            for path in (*fresh.iterdir(), fresh):
                give(path, into.parent)
            if target.exists():
                target.rename(fresh.with_name(fresh.name + ".old"))
            fresh.rename(target)
            _sync(into)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(fresh.with_name(fresh.name + ".old"), ignore_errors=True)
    except OSError as error:
        raise unwritten(target, error) from error
    return open_model(target)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
