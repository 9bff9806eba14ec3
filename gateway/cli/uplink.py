"""`compound-gateway uplink`: what a platform's broker refused, and trying it again."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.errors import Rejected
from gateway.text import Text

if TYPE_CHECKING:
    from gateway.journal import Row
    from gateway.settings import Settings

_MOST = 1000
_PATIENCE_S = 8.0  # the broker answers, and the answer is written down within a second
_NONE = Text("{name}：没有被拒收的事件", "{name}: nothing was refused")
_LEFT = Text(
    "{name}：仍有 {n} 个事件被拒收；请让平台方检查权限，再运行 compound-gateway uplink retry {name}",
    "{name}: still refused: {n}; let the platform's side check its access list, then retry",
)
_LATER = Text("{name}：未连接，连接后会自动重发", "{name}: not connected; they are sent again when it is")


@click.group("uplink")
def command() -> None:
    """平台拒收的事件 · What a platform's broker refused."""


@command.command("dead")
@click.argument("name", required=False)
@config_option
@json_option
def dead(name: str | None, config_path: Path, as_json: bool) -> None:
    """列出被拒收的事件及原因 · List refused events with the reason; NAME is an uplink, all without it."""
    from gateway.journal import JournalReader

    settings = load_settings(config_path)
    path = settings.gateway.data_dir / "journal" / "journal.db"
    for one in _named(settings, name):
        letters = JournalReader(path).refusals(one, _MOST) if path.exists() else []
        if not letters and not as_json:
            click.echo(_NONE.with_(name=one).say(language()))
        for row, reason in letters:
            click.echo(_as_json(one, row, reason) if as_json else _as_line(settings, one, row, reason))


@command.command("retry")
@click.argument("name", required=False)
@config_option
def retry(name: str | None, config_path: Path) -> None:
    """立即重发被拒收的事件 · Send refused events again now; exit code 1 where some are refused again."""
    from gateway.status_socket import ask

    settings = load_settings(config_path)
    left = 0
    for one in _named(settings, name):
        ask(settings.gateway.data_dir, do="retry", uplink=one)
        left += _wait_for_answers(settings, one)
    sys.exit(1 if left else 0)


def _named(settings: Settings, name: str | None) -> list[str]:
    """The uplinks that are meant. Raises `Rejected`."""
    known = list(settings.uplinks)
    if name is not None and name not in known:
        raise Rejected(
            Text("没有名为“{name}”的平台", "there is no uplink '{name}'").with_(name=name),
            hint=Text("可用：{known}", "known: {known}").with_(known=", ".join(known) or "–"),
        )
    return known if name is None else [name]


def _wait_for_answers(settings: Settings, name: str) -> int:
    """How many are still refused after a while; says so."""
    from gateway.status_socket import ask

    deadline = time.monotonic() + _PATIENCE_S
    while True:
        uplink: dict[str, Any] = ask(settings.gateway.data_dir)["uplinks"][name]
        left = uplink["dead"] or 0
        if not left or not uplink["connected"] or time.monotonic() > deadline:
            break
        time.sleep(0.3)
    words = _NONE if not left else _LEFT if uplink["connected"] else _LATER
    click.echo(words.with_(name=name, n=left).say(language()))
    return int(left)


def _as_line(settings: Settings, uplink: str, row: Row, reason: str) -> str:
    from zoneinfo import ZoneInfo

    from gateway.wording import describe

    points = {name: point.name for name, point in settings.points.items()}
    moment = row.time.astimezone(ZoneInfo(settings.site.timezone)).isoformat(sep=" ", timespec="seconds")[:19]
    words = describe(row.name, row.subject, row.data, points).say(language())
    return f"{uplink}  #{row.seq:<6} {moment}  {reason}: {words}"


def _as_json(uplink: str, row: Row, reason: str) -> str:
    said = {"uplink": uplink, "sequence": row.seq, "id": row.id, "type": f"compound.{row.name}.v1"}
    said |= {"time": row.time.isoformat(timespec="milliseconds"), "reason": reason}
    return json.dumps(said, ensure_ascii=False)
