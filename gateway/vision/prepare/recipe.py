"""What a shipped card says about making its model: the sources, pinned, and the files that come of them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ModelError
from gateway.vision.catalogue import CARD, open_model
from gateway.vision.prepare.sources import Source


@dataclass(frozen=True, slots=True)
class Recipe:
    """The card of one model that is made on the box. `card` is its text, to be written beside what was made."""

    name: str
    card: str
    sources: tuple[Source, ...]
    files: tuple[str, ...]

    def with_files(self, files: dict[str, bytes]) -> str:
        """The card with the true sha256 and size of `files`."""
        text = self.card
        for name, data in files.items():
            entry = rf'(name = "{re.escape(name)}"\n)sha256 = "[0-9a-f]*"\nbytes = \d+'
            true = rf'\g<1>sha256 = "{hashlib.sha256(data).hexdigest()}"\nbytes = {len(data)}'
            text = re.sub(entry, true, text)
        return text


def read_recipe(folder: Path) -> Recipe:
    """Read a shipped card. Raises `ModelError` where it is no recipe."""
    card = open_model(folder).card
    if card.prepare is None:
        raise ModelError(f"the card of model {card.name} does not say how the model is made")
    package = card.prepare
    sources = tuple(Source(package.package, package.version, source.path, source.sha256) for source in package.sources)
    text = (folder / CARD).read_text(encoding="utf-8")
    return Recipe(card.name, text, sources, tuple(file.name for file in card.files))
