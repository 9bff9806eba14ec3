"""`compound-gateway roster …`: import, export, list, add and remove who may pass; read a card."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.cli.roster_read import read_card
from gateway.cli.trail import roster_audit
from gateway.errors import Rejected
from gateway.text import Language, Text

if TYPE_CHECKING:
    from gateway.roster import Changes, Roster, RosterFaults
    from gateway.roster.cells import Fault, Row
    from gateway.settings import Settings

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FORMS = click.Choice(["csv", "json"])


def _dry_run_option(wrapped: _Command) -> _Command:
    return click.option(
        "--dry-run",
        is_flag=True,
        help="只检查并显示将要做的更改，不改名册 · Check and show what would change, change nothing.",
    )(wrapped)


@click.group()
def command() -> None:
    """住户名册 · The roster: who may pass with which card and plate."""


command.add_command(read_card)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--replace", is_flag=True, help="以文件为准，删除文件中没有的住户 · Remove holders the file does not name."
)
@_dry_run_option
@json_option
@config_option
def import_file(file: Path, replace: bool, dry_run: bool, as_json: bool, config_path: Path) -> None:
    """导入住户名册（CSV 或 JSON，UTF-8 或 GBK）；有一处错误就一行也不导入 · Import the roster: all rows or none.

    FILE 为 - 时读取标准输入 · FILE may be - for standard input.
    """
    from gateway.roster import RosterFaults
    from gateway.roster.file import read

    settings = load_settings(config_path)
    sheet = read(_read_bytes(file), tuple(settings.points))
    roster = _roster(settings)
    try:
        changes = roster.import_rows(
            sheet.rows,
            dry_run=dry_run,
            replace=replace,
            faults=sheet.faults,
            audit=roster_audit(settings, roster.ref),
        )
    except RosterFaults as refused:
        _show_faults(refused, file, as_json)
        sys.exit(1)
    _show_changes(changes, dry_run, as_json)


@command.command("export")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@click.option("--format", "form", type=_FORMS, help="格式，默认按文件名 · By the file's name if not given.")
@click.option("--encoding", type=click.Choice(["utf-8", "utf-8-sig", "gbk"]), default="utf-8", show_default=True)
@click.option("--headings", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@config_option
def export_file(file: Path, form: str | None, encoding: str, headings: str, config_path: Path) -> None:
    """导出住户名册，可原样再导入 · Export the roster in the form that import reads.

    含卡号明文，请妥善保管 · The file holds card numbers in clear: keep it safe.
    """
    from gateway.roster.file import write

    roster = _roster(load_settings(config_path))
    json_wanted = (form or file.suffix.lstrip(".").lower()) == "json"
    text = write(roster.list(), "json" if json_wanted else "csv", Language(headings))
    data = text.encode("gb18030" if encoding == "gbk" else encoding)
    if str(file) == "-":
        sys.stdout.buffer.write(data)
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
    except OSError as error:
        raise _file_fault(file, error) from error


@command.command("list")
@json_option
@config_option
def list_holders(as_json: bool, config_path: Path) -> None:
    """列出住户 · List the holders; with --json each with the `ref` that events carry."""
    from gateway.roster.cells import STATUS, in_chinese
    from gateway.roster.file import lists

    roster = _roster(load_settings(config_path))
    rows = roster.list()
    if as_json:
        _print_json([{"ref": roster.ref(row.holder_id), **lists(row)} for row in rows])
        return
    for row in rows:
        days = f"{row.valid_from or ''}~{row.valid_until or ''}".strip("~")
        counts = Text("卡 {cards}，车 {plates}", "cards {cards}, plates {plates}")
        counted = counts.with_(cards=len(row.cards), plates=len(row.plates)).say(language())
        points = "*" if row.points is None else ";".join(sorted(row.points))
        words = [("kind", row.kind), ("category", row.category), (STATUS, row.status)]
        kind, category, status = (in_chinese(*word) if language() is Language.ZH else word[1] for word in words)
        click.echo("\t".join((row.holder_id, row.name, kind, category, row.room, counted, points, days, status)))
    click.echo(Text("{n} 位住户", "holders: {n}").with_(n=len(rows)).say(language()), err=True)


@command.command("add")
@click.argument("holder_id")
@click.option("--name", help="姓名 · Name.")
@click.option("--kind", help="类别：住户、访客、员工 · resident, visitor, staff …")
@click.option("--category", help="身份：业主、租户、家属 · owner, tenant, family …")
@click.option("--room", help="房号 · Room.")
@click.option(
    "--card", "cards", multiple=True, help="卡号（格式:号码），可多次 · Card as format:value; may be repeated."
)
@click.option("--plate", "plates", multiple=True, help="车牌，可多次 · Plate; may be repeated.")
@click.option("--point", "points", multiple=True, help="通行点或 *，可多次 · Point or *; may be repeated.")
@click.option("--valid-from", help="有效期起 · First valid day, 2026-01-31.")
@click.option("--valid-until", help="有效期止（含当日） · Last valid day.")
@click.option("--status", metavar="[active|lost|blocked]", help="状态：正常、挂失、停用 · active, lost or blocked.")
@click.option(
    "--update", is_flag=True, help="修改已有住户，只改写出的项 · Change an existing holder: only what is given."
)
@_dry_run_option
@json_option
@config_option
def add_holder(
    holder_id: str, update: bool, dry_run: bool, as_json: bool, config_path: Path, **given: str | tuple[str, ...] | None
) -> None:
    """添加或修改一位住户 · Add one holder, or change one with --update."""
    from gateway.roster import RosterFaults
    from gateway.roster.cells import read_row

    settings = load_settings(config_path)
    roster = _roster(settings)
    cells = _cells(holder_id, given, roster.list() if update else None)
    faults: list[Fault] = []
    row = read_row(0, cells, tuple(settings.points), faults)
    try:
        if faults:
            raise RosterFaults(faults)
        change = partial(roster.import_rows, [row]) if update else partial(roster.add, row)
        changes = change(dry_run=dry_run, audit=roster_audit(settings, roster.ref))
    except RosterFaults as refused:
        _show_faults(refused, None, as_json)
        sys.exit(1)
    _show_changes(changes, dry_run, as_json)


@command.command("remove")
@click.argument("holder_ids", nargs=-1, required=True, metavar="HOLDER_ID…")
@_dry_run_option
@json_option
@config_option
def remove_holders(holder_ids: tuple[str, ...], dry_run: bool, as_json: bool, config_path: Path) -> None:
    """删除住户及其卡号和车牌；有一个不存在就一个也不删 · Remove holders with their cards and plates: all or none."""
    settings = load_settings(config_path)
    roster = _roster(settings)
    changes = roster.remove(holder_ids, dry_run=dry_run, audit=roster_audit(settings, roster.ref))
    _show_changes(changes, dry_run, as_json)


def _roster(settings: Settings) -> Roster:
    from gateway.keys import Keys
    from gateway.roster import FILE_NAME, Roster

    data_dir = settings.gateway.data_dir
    return Roster(data_dir / FILE_NAME, Keys(data_dir), lambda text: click.echo(text.say(language()), err=True))


def _cells(
    holder_id: str, given: dict[str, str | tuple[str, ...] | None], existing: Sequence[Row] | None
) -> dict[str, str]:
    from gateway.roster.cells import write_row

    cells = {"name": "", "points": ""}
    if existing is not None:
        found = [row for row in existing if row.holder_id == holder_id]
        if not found:
            raise Rejected(
                Text("名册中没有住户“{id}”", "no holder '{id}' in the roster").with_(id=holder_id),
                hint=Text("去掉 --update 以添加", "leave out --update to add the holder"),
            )
        cells = write_row(found[0])
    for column, value in given.items():
        if value not in (None, ()):  # an empty text takes away what was there
            cells[column] = value if isinstance(value, str) else ";".join(value or ())
    return {**cells, "holder_id": holder_id}


def _read_bytes(file: Path) -> bytes:
    from gateway.regular_file import open_regular
    from gateway.roster.file import MAX_BYTES

    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with open_regular(file) as source:
            return source.read(MAX_BYTES + 1)
    except OSError as error:
        raise _file_fault(file, error) from error


def _file_fault(file: Path, error: OSError) -> Rejected:
    return Rejected(
        Text("文件 {file}：{error}", "file {file}: {error}").with_(file=file, error=error.strerror or error),
        hint=Text("检查路径和权限", "check the path and its permissions"),
    )


def _show_faults(refused: RosterFaults, file: Path | None, as_json: bool) -> None:
    speak = language()
    if as_json:
        _print_json(
            {
                "ok": False,
                "faults": [
                    {
                        "line": fault.line or None,
                        "column": fault.column or None,
                        "message": fault.message.say(speak),
                        "fix": fault.fix.say(speak),
                    }
                    for fault in refused.faults
                ],
            }
        )
        return
    for fault in refused.faults:
        place = f"{file}: " if file is not None else ""
        click.echo(f"{place}{fault.say(speak)}", err=True)
    assert isinstance(refused.message, Text)
    click.echo(refused.message.say(speak), err=True)


def _show_changes(changes: Changes, dry_run: bool, as_json: bool) -> None:
    kinds = {
        "added": (Text("新增", "added"), "+"),
        "updated": (Text("更新", "updated"), "~"),
        "removed": (Text("删除", "removed"), "-"),
        "unchanged": (Text("不变", "unchanged"), "="),
    }
    if as_json:
        _print_json({"ok": True, "dry_run": dry_run, **{kind: list(getattr(changes, kind)) for kind in kinds}})
        return
    speak = language()
    if dry_run:
        for kind in ("added", "updated", "removed"):
            for holder_id in getattr(changes, kind):
                click.echo(f"{kinds[kind][1]} {holder_id}")
    counts = (
        Text("，", ", ")
        .say(speak)
        .join(f"{word.say(speak)} {len(getattr(changes, kind))}" for kind, (word, _) in kinds.items())
    )
    note = Text("（试运行，未更改名册）", " (dry run, nothing was changed)").say(speak) if dry_run else ""
    click.echo(counts + note)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=1))
