"""Which models there are: folders with a `model.toml` (the card) and the files it names, each with its sha256.

Rule: no byte of a model is used before it was compared with its card, so `Model.read` is the only way to get them.
This module imports neither numpy nor onnxruntime: listing and verifying models is cheap.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import ModelError
from gateway.regular_file import open_regular
from gateway.shipped import shipped
from gateway.text import Text
from gateway.toml import read_toml

CARD = "model.toml"
_LARGEST = 1 << 30  # bytes of one model file
_LARGEST_CARD = 1 << 18

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Value = int | float | str | list[int] | list[float] | list[str]

VERIFY = Text(
    "compound-gateway models verify 可查看详情；用 models prepare 或 models import 重新安装该模型，然后 "
    "systemctl reload compound-gateway",
    "see compound-gateway models verify; install the model again with models prepare or models import, then systemctl "
    "reload compound-gateway",
)
PREPARE = Text(
    "请执行：compound-gateway models prepare，然后 systemctl reload compound-gateway",
    "run: compound-gateway models prepare, then systemctl reload compound-gateway",
)

UNREAD = Text("{path}：无法读取：{why}", "{path}: cannot be read: {why}")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelFile(_Table):
    """One file of the folder and what it must be."""

    name: FileName
    sha256: Sha256
    bytes: Annotated[int, Field(gt=0, le=_LARGEST)]


class Bench(_Table):
    """Where `models bench`, given these options, says a figure: of which group of photographs, under which key."""

    options: str
    group: str
    figure: str


class Accuracy(_Table):
    """One measurement, as the maker of the model reports it."""

    data: str
    value: float
    metric: str
    note: str = ""
    bench: Bench | None = None


class PrepareSource(_Table):
    """A data file of an installed package, and what it must be."""

    path: str
    sha256: Sha256


class Prepare(_Table):
    """From which release of which package `models prepare` makes this model."""

    package: str
    version: str
    sources: Annotated[list[PrepareSource], Field(min_length=1, max_length=16)]


class Card(_Table):
    """What `model.toml` says. `input`, `output` and `thresholds` are read by the adapter that `adapter` names."""

    name: Name
    task: Literal["plate.detect", "plate.refine", "plate.read", "face.detect", "face.embed", "face.liveness"]
    adapter: Name
    version: str
    licence: str
    source: str
    assurance: Literal["low", "medium", "high"] | None = None  # faces: what a match may open
    files: Annotated[list[ModelFile], Field(min_length=1, max_length=16)]
    int8: FileName | None = None  # the one of `files` that answers as the first does, quicker on some boxes
    input: dict[str, Value] = {}
    output: dict[str, Value] = {}
    thresholds: dict[str, float] = {}
    accuracy: list[Accuracy] = []
    learnt_from: Sha256 | None = None  # the labels.csv of photographs of which one half was (`labels.of_learnt_half`)
    prepare: Prepare | None = None  # its files are made on the box, not shipped


@dataclass(frozen=True, slots=True)
class Model:
    """A card and the folder it was found in."""

    card: Card
    folder: Path

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def is_made(self) -> bool:
        """False for the card of a model that `models prepare` makes on the box and has not made here."""
        return self.card.prepare is None or any((self.folder / file.name).exists() for file in self.card.files)

    @property
    def fingerprint(self) -> str:
        """The same where two embedders make the same vectors of a face: their files and what their adapter is told."""
        card = self.card
        told = [card.adapter, [file.sha256 for file in card.files], card.input, card.output]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def read(self, file_name: str = "") -> bytes:
        """The bytes of one file, verified; without a name those of the first. Raises `ModelError`."""
        file = next((file for file in self.card.files if file.name == file_name or not file_name), None)
        if file is None:
            raise self.unfit(f"模型卡中没有文件 {file_name}", f"its card names no file {file_name}")
        if not self.is_made:
            raise ModelError(
                Text("模型 {model} 尚未生成", "model {model} is not made yet").with_(model=self.name), hint=PREPARE
            )
        try:
            with open_regular(self.folder / file.name) as stream:
                data = stream.read(file.bytes + 1)
        except OSError as error:
            why = f"{file.name}: {error.strerror}"
            raise self.unfit(f"无法读取 {why}", f"cannot read {why}") from error
        if len(data) != file.bytes or hashlib.sha256(data).hexdigest() != file.sha256:
            raise ModelError(
                Text(
                    "模型 {model} 的文件 {file} 与登记的校验值不符，拒绝加载",
                    "file {file} of model {model} is not what its card says (size or sha256); it is not loaded",
                ).with_(model=self.name, file=file.name),
                hint=VERIFY,
            )
        return data

    def unfit(self, zh: str, en: str) -> ModelError:
        """The card or the files are not what reads them takes; `zh` and `en` say what they are to be."""
        words = Text("模型 {model}：{what}", "model {model}: {what}")
        return ModelError(words.with_(model=self.name, what=Text(zh, en)), hint=VERIFY)

    def verify(self) -> None:
        """Read every file once. Raises `ModelError` at the first that is missing or altered."""
        for file in self.card.files:
            self.read(file.name)


def model_dirs(data_dir: Path | None = None) -> list[Path]:
    """Where models are looked for, first come first taken: prepared and imported ones, then the shipped ones."""
    own = [] if data_dir is None else [data_dir / "models"]
    return [*own, shipped("models")]


def open_model(folder: Path) -> Model:
    """Read the card in a folder. Raises `ModelError` where it is missing, misspelt or bears another name."""
    path = folder / CARD
    try:
        with open_regular(path) as stream:
            card = read_card(stream.read(_LARGEST_CARD), path)
    except OSError as error:
        raise ModelError(UNREAD.with_(path=path, why=error.strerror), hint=VERIFY) from error
    if card.name != folder.name:
        raise ModelError(
            Text("{path}：模型卡的名称是“{name}”", "{path}: the card is that of '{name}'").with_(
                path=path, name=card.name
            ),
            hint=Text("文件夹须与之同名", "give the folder the same name"),
        )
    return Model(card, folder)


def read_card(text: bytes, path: Path) -> Card:
    """The card that a `model.toml` is; `path` is where it stands, for messages. Raises `ModelError`."""
    try:
        return Card.model_validate(read_toml(text.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(no_toml(path, error), hint=VERIFY) from error
    except ValidationError as error:
        raise ModelError(misshapen(path, error), hint=VERIFY) from error


def no_toml(path: Path, error: ValueError) -> Text:
    """What is said of a file that is no TOML."""
    return Text("{path}：不是有效的 TOML：{error}", "{path}: not valid TOML: {error}").with_(path=path, error=error)


def misshapen(path: Path, error: ValidationError) -> Text:
    """What is said of the first key that is not as it must be."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    plain = {"extra_forbidden": Text("未知的键", "unknown key"), "missing": Text("缺少此键", "is missing")}
    what = plain.get(first["type"]) or Text("值不符合要求：{why}", "not allowed: {why}").with_(why=first["msg"])
    return Text("{path}：{key}：{what}", "{path}: {key}: {what}").with_(path=path, key=key, what=what)


def folders(dirs: Sequence[Path]) -> Iterator[Path]:
    """Every folder with a card, each name once: the one that `find` would take."""
    seen: set[str] = set()
    for path in dirs:
        for card in sorted(path.glob(f"*/{CARD}")):
            hidden = card.parent.name.startswith(".")  # being written by `models prepare` or `models import`
            if not hidden and card.parent.name not in seen:
                seen.add(card.parent.name)
                yield card.parent


def find(name: str, dirs: Sequence[Path]) -> Model:
    """The model of that name in the first folder that has one. Raises `ModelError` with what to do."""
    for path in folders(dirs):
        if path.name == name:
            return open_model(path)
    raise ModelError(
        Text("没有模型 {name}", "there is no model {name}").with_(name=name),
        hint=Text(
            "compound-gateway models list 列出现有模型；models prepare 生成人脸模型",
            "compound-gateway models list shows what there is; models prepare makes the face models",
        ),
    )
