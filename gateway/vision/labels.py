"""Folders of photographs whose `labels.csv` says what each shows.

Rule: a label cannot lead outside its folder, and whatever is wrong names the file and the columns it needs.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from gateway.errors import Rejected
from gateway.regular_file import open_regular
from gateway.text import Text

LABELS: Final = "labels.csv"
_PICTURES: Final = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def read_labels(folder: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows, each with a value for `file` and `columns`. Raises `Rejected`."""
    needed = ("file", *columns)
    try:
        # Spreadsheets put a mark before it.
        with TextIOWrapper(open_regular(folder / LABELS), "utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _no_labels(folder, needed) from error
    for number, row in enumerate(rows, start=2):
        if not all(row.get(column) for column in needed):
            raise _no_labels(folder, needed, number)
        if not (folder / row["file"]).resolve().is_relative_to(folder.resolve()):
            raise Rejected(
                Text("{labels}：{file} 在目录之外", "{labels}: {file} is outside the folder").with_(
                    labels=LABELS, file=row["file"]
                ),
                hint=Text("只能写目录内的文件", "name files inside the folder"),
            )
    if not rows:
        raise _no_labels(folder, needed)
    return rows


def fingerprint(folder: Path) -> str:
    """The sha256 of its labels, empty where there are none: by it a card names photographs that were learnt from."""
    try:
        with open_regular(folder / LABELS) as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def of_learnt_half(file: str) -> bool:
    """Whether a labelled photograph is of the half that may be learnt from: a matter of its file's name alone."""
    return hashlib.sha256(file.encode()).digest()[0] % 2 == 0


def pictures(folder: Path) -> Iterable[Path]:
    """Every picture in a folder and the folders within. Raises `Rejected` where there is none."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES and path.is_file())
    if not found:
        raise Rejected(
            Text("{folder} 中没有图片", "there are no pictures in {folder}").with_(folder=folder),
            hint=Text("需要 JPEG、PNG、BMP 或 WebP 图片", "it takes JPEG, PNG, BMP or WebP pictures"),
        )
    return found


def _no_labels(folder: Path, columns: tuple[str, ...], line: int | None = None) -> Rejected:
    place = LABELS if line is None else f"{LABELS}:{line}"
    return Rejected(
        Text("{folder} 中没有可用的 {place}", "{folder} has no usable {place}").with_(folder=folder, place=place),
        hint=Text(
            "须为 UTF-8 编码，每行需要这些列：{columns}", "it is UTF-8, and each line needs these columns: {columns}"
        ).with_(columns=", ".join(columns)),
    )
