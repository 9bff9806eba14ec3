"""`compound-gateway inspect`: whom entrances do not know and who wait, and how staff dealt with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.cli.trail import operator
from gateway.errors import Rejected, Unreachable
from gateway.text import Text

_SHORT = 6  # characters of an id that are shown, and are enough to name it
_NOBODY = Text("没有待查验的人或车", "nobody waits to be looked at")
_LINE = Text("{short}  {since}  {words}（还有 {left} 秒）", "{short}  {since}  {words} ({left} s left)")
_ADMITTED = Text("{short}：已登记为放行", "{short}: written down as let in")
_REFUSED = Text("{short}：已登记为未放行", "{short}: written down as turned away")
_GONE = Text("没有编号以“{said}”结尾的待查验项", "no open check ends in '{said}'")
_SEVERAL = Text("有 {n} 个待查验项的编号以“{said}”结尾", "open checks that end in '{said}': {n}")
_LOOK = Text(
    "运行 compound-gateway inspect list 查看；编号至少写末尾 4 位",
    "look at compound-gateway inspect list; write four characters of the id or more",
)
_OLD = Text("正在运行的网关是旧版本", "the running daemon is of an older version")
_RESTART = Text("运行 systemctl restart compound-gateway", "systemctl restart compound-gateway")


@click.group("inspect")
def command() -> None:
    """人车查验：出入口不认识的人和车 · Those whom an entrance does not know (`check_unknown`)."""


@command.command("list")
@json_option
@config_option
def list_open(as_json: bool, config_path: Path) -> None:
    """列出待查验的人和车 · List those who wait, oldest first."""
    from gateway.wording import describe

    settings = load_settings(config_path)
    checks = _ask(settings.gateway.data_dir, do="checks")
    if as_json:
        click.echo(json.dumps(checks, ensure_ascii=False, indent=2))
        return
    points = {name: point.name for name, point in settings.points.items()}
    for check in checks:
        line = _LINE.with_(
            short=check["check"][-_SHORT:],
            since=check["since"][11:19],
            words=describe("check.required", check["point"], check, points),
            left=check["left_s"],
        )
        click.echo(line.say(language()))
    if not checks:
        click.echo(_NOBODY.say(language()), err=True)


@command.command("admit")
@click.argument("check")
@json_option
@config_option
def admit(check: str, as_json: bool, config_path: Path) -> None:
    """登记为已放行；不开门，请人工开门 · Write down that they were let in; opens nothing: open by hand.

    CHECK 为编号或其末尾至少 4 位 · CHECK is the id, or its last four characters or more.
    """
    _answer(check, "admitted", _ADMITTED, as_json=as_json, config_path=config_path)


@command.command("refuse")
@click.argument("check")
@json_option
@config_option
def refuse(check: str, as_json: bool, config_path: Path) -> None:
    """登记为未放行 · Write down that they were turned away.

    CHECK 为编号或其末尾至少 4 位 · CHECK is the id, or its last four characters or more.
    """
    _answer(check, "refused", _REFUSED, as_json=as_json, config_path=config_path)


def _answer(said: str, outcome: str, words: Text, *, as_json: bool, config_path: Path) -> None:
    """Raises `Rejected` where it is not clear which is meant, and nothing was written down."""
    data_dir = load_settings(config_path).gateway.data_dir
    found = _ask(data_dir, do="answer", check=said, outcome=outcome, by=operator())
    if len(found) != 1:
        why = _SEVERAL.with_(n=len(found)) if found else _GONE
        raise Rejected(why.with_(said=said), hint=_LOOK)
    if as_json:
        click.echo(json.dumps({**found[0], "outcome": outcome}, ensure_ascii=False))
    else:
        click.echo(words.with_(short=found[0]["check"][-_SHORT:]).say(language()))


def _ask(data_dir: Path, **wanted: Any) -> list[dict[str, Any]]:
    """The checks that the daemon names. Raises `Unreachable`."""
    from gateway.status_socket import ask

    answer = ask(data_dir, **wanted)
    if "checks" not in answer:  # it answers what it does not know with its status
        raise Unreachable(_OLD, hint=_RESTART)
    checks: list[dict[str, Any]] = answer["checks"]
    return checks
