"""Models that the operator fetches from their makers: a list of cards with the address of each file.

Rule: nothing is fetched before its licence was shown and accepted, and a model's folder appears whole, verified against
its card, or not at all.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import ModelError, Rejected, unwritten
from gateway.ownership import give
from gateway.regular_file import open_regular
from gateway.shipped import shipped
from gateway.text import Text
from gateway.toml import read_toml
from gateway.vision.catalogue import CARD, UNREAD, Card, misshapen, no_toml, open_model, read_card
from gateway.vision.download import check_url, download
from gateway.vision.imports import import_folder

LIST = "recommended.toml"  # in the shipped folder of models
_STORE = ".fetch"  # in the folder of models: what has arrived so far

Address = Annotated[str, Field(min_length=8, max_length=2000)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    card: str  # the text of the model.toml
    urls: Annotated[list[Address], Field(min_length=1, max_length=16)]  # in the order of the card's files
    licence_url: Address


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    models: list[_Entry] = []


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that may be fetched."""

    card: Card
    text: bytes  # of the card
    urls: tuple[str, ...]
    licence_url: str


def shipped_list() -> Path:
    """The list that came with the program."""
    return shipped("models") / LIST


def read_list(path: Path) -> list[Offer]:
    """Read and check a list whole. Raises `ModelError`."""
    try:
        with open_regular(path) as file:
            entries = _List.model_validate(read_toml(file.read().decode())).models
    except OSError as error:
        raise ModelError(UNREAD.with_(path=path, why=error.strerror), hint=_SEE) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(no_toml(path, error), hint=_SEE) from error
    except ValidationError as error:
        raise ModelError(misshapen(path, error), hint=_SEE) from error
    return [_offer(entry, path) for entry in entries]


def _offer(entry: _Entry, path: Path) -> Offer:
    text = entry.card.encode()
    card = read_card(text, path)
    if len(entry.urls) != len(card.files):
        counts = Text("{path}：{name}：{urls} 个 urls，{files} 个文件", "{path}: {name}: {urls} urls for {files} files")
        told = counts.with_(path=path, name=card.name, urls=len(entry.urls), files=len(card.files))
        raise ModelError(told, hint=_SEE)
    for url in entry.urls:
        check_url(url)
    return Offer(card, text, tuple(entry.urls), entry.licence_url)


def fetch(offer: Offer, into: Path, tell: Callable[[Text], None]) -> Path:
    """Fetch one model into the folder of models; return its folder. What is there whole is left as it is.

    Raises `Unreachable`, `ModelError`, `StoreError`.
    """
    target, store = into / offer.card.name, into / _STORE
    if _is_there(target, offer.card):
        tell(_KEPT.with_(name=offer.card.name, path=target))
        return target
    made = store / offer.card.name
    try:
        made.mkdir(parents=True, exist_ok=True)
        for folder in (into, store, made):
            give(folder, into.parent)
        (made / CARD).write_bytes(offer.text)
    except OSError as error:
        raise unwritten(made, error) from error
    for file, url in zip(offer.card.files, offer.urls, strict=True):
        tell(_FETCHING.with_(url=url, size=f"{file.bytes / 1e6:.1f}"))
        download(url, made / file.name, file.bytes, file.sha256)
    (model,) = import_folder(made, into)
    shutil.rmtree(made, ignore_errors=True)
    with suppress(OSError):  # another model is still on its way
        store.rmdir()
    tell(_MADE.with_(name=model.name, path=model.folder))
    return model.folder


def refuse_unaccepted(offers: list[Offer]) -> Rejected:
    """What is said where the licences were not accepted."""
    return Rejected(
        Text("{count} 个模型须先接受其许可", "{count} models have licences to be accepted first").with_(
            count=len(offers)
        ),
        hint=Text("阅读后加上 --accept-licence", "read them, then add --accept-licence"),
    )


def _is_there(folder: Path, card: Card) -> bool:
    try:
        model = open_model(folder)
        model.verify()
    except ModelError:
        return False
    return model.card == card


_SEE = Text("格式见 docs/models.zh-CN.md", "docs/models.md shows how a list is written")
_KEPT = Text("{name} 已是最新：{path}", "{name} is up to date: {path}")
_FETCHING = Text("正在下载 {url}（{size} MB）", "fetching {url} ({size} MB)")
_MADE = Text("已安装 {name}：{path}", "installed {name}: {path}")
