"""What `models bench` prints for people: tables in the site's language.

Rule: the same numbers as `--json` gives; shares are printed in per cent, and a share of nothing as a dash.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from gateway.text import Language, Text

_SHARES: Final = ("exact", "among", "but_province", "colour", "sure", "sure_right", "trusted", "trusted_right")
_MOST_CONFUSED: Final = 12
_WIDTH: Final = 120  # where the output is no terminal


def print_speed(rows: Sequence[dict[str, Any]], language: Language) -> None:
    """Milliseconds of each model."""
    table = _table(_SPEED, language)
    for row in rows:
        timing = f"{row['median_ms']:.2f}", f"{row['worst_ms']:.2f}"
        table.add_row(row["name"], row["file"], row["input"], *timing, row["provider"])
    _print(table)


def print_plates(found: dict[str, Any], language: Language) -> None:
    """How plates are read, how far confidences can be believed, what is confused, and what is read from nothing."""
    if found["groups"]:
        table = _table([heading.with_(threshold=f"{found['threshold']:g}") for heading in _PLATES], language)
        for row in found["groups"]:
            shares = (row[key] for key in _SHARES)
            table.add_row(row["group"], str(row["photographs"]), *map(_share, shares), str(row["nothing"]))
        _print(table)
        table = _table(_RELIABILITY, language)
        for one in found["reliability"]:
            table.add_row(
                f"{one['low']:g} – {one['high']:g}", str(one["reads"]), *map(_share, (one["said"], one["true"]))
            )
        _print(table)
    if found["confused"]:
        pairs = "  ".join(f"{one['plate']}→{one['read']} {one['count']}" for one in found["confused"][:_MOST_CONFUSED])
        click.echo(_CONFUSED.with_(pairs=pairs).say(language))
    if found["without"] is not None:
        click.echo(_WITHOUT.with_(**found["without"], threshold=f"{found['threshold']:g}").say(language))


def print_faces(rows: Sequence[dict[str, Any]], language: Language) -> None:
    """How faces are told apart, and what the card's rule makes of them with some people enrolled."""
    table = _table(_FACES, language)
    for row in rows:
        table.add_row(
            row["group"],
            *(str(row[key]) for key in ("photographs", "missed", "people")),
            *(_share(row[f"tar_at_{rate}"]) for rate in ("0.01", "0.001")),
            *(f"{row[f'distance_at_{rate}']:.3f}" for rate in ("0.01", "0.001")),
        )
    _print(table)
    table = _table(_ENROLLED, language)
    for row in rows:
        if row["enrolled"]:
            shares = (_share(row[key]) for key in ("own", "wrong", "strangers"))
            table.add_row(row["group"], str(row["enrolled"]), *shares)
    if table.rows:
        _print(table)
    click.echo(_ON_SITE.say(language))


def _table(headings: Sequence[Text], language: Language) -> Table:
    first, *others = (heading.say(language) for heading in headings)
    table = Table(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _print(table: Table) -> None:
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


_SPEED = (
    Text("模型", "model"),
    Text("文件", "file"),
    Text("输入", "input"),
    Text("中位毫秒", "median ms"),
    Text("最慢毫秒", "worst ms"),
    Text("运行于", "runs on"),
)
_PLATES = (
    Text("分组", "group"),
    Text("照片", "photos"),
    Text("完全正确", "exact"),
    Text("读出之一", "among"),
    Text("除省份外", "but province"),
    Text("颜色", "colour"),
    Text("≥ {threshold}", "≥ {threshold}"),
    Text("其中正确", "right"),
    Text("≥ 0.9", "≥ 0.9"),
    Text("其中正确", "right"),
    Text("未读出", "nothing"),
)
_RELIABILITY = (
    Text("所报置信度", "confidence"),
    Text("次数", "reads"),
    Text("平均所报", "said"),
    Text("实际正确", "true"),
)
_FACES = (
    Text("分组", "group"),
    Text("照片", "photos"),
    Text("未找到脸", "no face"),
    Text("人数", "people"),
    Text("通过率 @1e-2", "matched @1e-2"),
    Text("通过率 @1e-3", "matched @1e-3"),
    Text("距离 @1e-2", "distance @1e-2"),
    Text("距离 @1e-3", "distance @1e-3"),
)
_ENROLLED = (
    Text("分组", "group"),
    Text("每次登记人数", "enrolled at a time"),
    Text("本人通过", "own accepted"),
    Text("误认为他人", "taken for another"),
    Text("陌生人通过", "strangers accepted"),
)
_CONFUSED = Text("易混字符（实际→读作 次数）：{pairs}", "confused (on the plate→read, times): {pairs}")
_WITHOUT = Text(
    "没有车牌的照片 {photographs} 张：{read} 张读出了车牌，其中 {sure} 张置信度 ≥ {threshold}",
    "{photographs} photographs without plates: in {read} one was read, in {sure} with a confidence ≥ {threshold}",
)
_ON_SITE = Text(
    "人脸阈值随现场与人数而变：请用本小区志愿者的照片复核",
    "face thresholds depend on the site and the number enrolled: check them with volunteers' photographs",
)
