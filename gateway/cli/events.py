"""`compound-gateway events`: reads the journal, also while the daemon runs."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.text import Text

if TYPE_CHECKING:
    from gateway.journal import Row
    from gateway.settings import Settings

_SPAN = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_BATCH = 500
_FOLLOW_S = 0.5
_CSV = ("sequence", "time", "type", "subject", "clock", "passage", "data")


def parse_since(text: str, zone: tzinfo) -> datetime:
    """`30m`, `2h`, `7d`, `2026-11-22` or `2026-11-22T08:00[+08:00]`, without offset in `zone`.

    Raises `click.BadParameter`.
    """
    if span := re.fullmatch(r"(\d{1,5})([smhd])", text):
        return datetime.now(UTC) - timedelta(**{_SPAN[span[2]]: int(span[1])})
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"“{text}”：30m | 2h | 7d | 2026-11-22 | 2026-11-22T08:00") from error


@click.command("events")
@config_option
@click.option(
    "--since",
    metavar="T",
    help="从何时起：30m、2h、7d 或日期（小区时间） · From when: 30m, 2h, 7d or a date, in the site's time.",
)
@click.option(
    "--type", "glob", default="*", metavar="GLOB", help="事件类型，如 access · Types, e.g. access, '*.denied'"
)
@click.option("--follow", is_flag=True, help="持续显示新事件 · Go on with new events.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="输出 CSV · Print CSV.")
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "utf-8-sig", "gbk"]),
    help="输出编码；Excel 用 utf-8-sig · Of the output; Excel needs utf-8-sig.",
)
def command(
    config_path: Path, since: str | None, glob: str, follow: bool, as_json: bool, as_csv: bool, encoding: str | None
) -> None:
    """查看事件库 · Read the journal."""
    if as_json and as_csv:
        raise click.UsageError("--json 与 --csv 只能用一个 · give either --json or --csv")
    from zoneinfo import ZoneInfo

    settings = load_settings(config_path)
    zone = ZoneInfo(settings.site.timezone)
    begin = parse_since(since, zone) if since else None
    path = settings.gateway.data_dir / "journal" / "journal.db"
    if encoding and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="gb18030" if encoding == "gbk" else encoding, errors="backslashreplace")
    write = _writer(settings, zone, as_json=as_json, as_csv=as_csv)
    glob = glob if set(glob) & set("*?[.") else f"{glob}*"  # a class by its name
    found = False
    for row in _rows(path, begin, glob, follow=follow):
        found = True
        write(row)
    if not found:
        click.echo(Text("没有符合条件的事件", "no event fits").say(language()), err=True)


def _rows(path: Path, since: datetime | None, glob: str, *, follow: bool) -> Iterator[Row]:
    from gateway.journal import JournalReader

    journal, after, file = JournalReader(path), 0, 0
    while True:
        before, file = file, _inode(path)
        if follow and file != before:
            journal.close()  # another one lies there: the first of all, a mended one, one from a backup
            time.sleep(_FOLLOW_S)  # until its tables are made
        rows = journal.history(after=after, since=since, glob=glob, limit=_BATCH) if file else []
        yield from rows
        if rows:
            after = rows[-1].seq
        elif follow:
            sys.stdout.flush()
            time.sleep(_FOLLOW_S)
        else:
            return


def _inode(path: Path) -> int:
    """Which file lies there, 0 where none does."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _writer(settings: Settings, zone: tzinfo, *, as_json: bool, as_csv: bool) -> Callable[[Row], None]:
    """How one row is printed."""
    from gateway.wording import describe

    points = {name: point.name for name, point in settings.points.items()}
    table = csv.writer(sys.stdout)
    if as_csv:
        table.writerow(_CSV)

    def write(row: Row) -> None:
        fields = _fields(row, zone)
        if as_json:
            click.echo(json.dumps(fields, ensure_ascii=False))
        elif as_csv:
            data = json.dumps(fields["data"], ensure_ascii=False)
            table.writerow([*(fields[name] for name in _CSV[:-1]), data])
        else:
            words = describe(row.name, row.subject, row.data, points).say(language())
            click.echo(f"{fields['time'][:19]}  #{row.seq:<6} {words}")

    return write


def _fields(row: Row, zone: tzinfo) -> dict[str, Any]:
    """A row under the names that platforms know, without an uplink's field policy: this is the box's own record."""
    return {
        "sequence": row.seq,
        "id": row.id,
        "type": f"compound.{row.name}.v1",
        "subject": row.subject,
        "time": row.time.astimezone(zone).isoformat(timespec="milliseconds"),
        "clock": row.clock,
        "bootid": row.boot_id,
        "uptimems": row.uptime_ms,
        "passage": row.passage,
        "data": dict(row.data),
    }
