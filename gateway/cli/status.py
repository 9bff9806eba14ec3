"""`compound-gateway status`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.text import Text

if TYPE_CHECKING:
    from rich.table import Table


@click.command("status")
@config_option
@json_option
def command(config_path: Path, as_json: bool) -> None:
    """查看网关运行状况 · Show how the running daemon is doing."""
    from gateway.status_socket import ask

    status = ask(load_settings(config_path).gateway.data_dir)
    if as_json:
        click.echo(json.dumps(status, ensure_ascii=False, indent=2))
    else:
        _print(status)


def _print(status: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    console.print(escape(status["words"]), style="bold")
    console.print(_devices(status["devices"]))
    for kind, detail in (status["vision"].get("faults") or {}).items():
        title = _say("{kind}识别已停用：", "recognition of {kind} is off: ").format(kind=_word(kind))
        console.print(title + escape(str(detail)), style="red")
    if fault := status["roster"].get("fault"):
        title = _say(
            "名册有误，沿用上次的名册（{n} 人）：", "the roster is faulty, its last copy counts ({n} holders): "
        )
        console.print(title.format(n=status["roster"]["holders"]) + escape(fault), style="red")
    if status["clock"] == "unsynced":
        words = _say(
            "时钟未校准：事件时间可能不准，运行 timedatectl 查看",
            "the clock is not set: the time of events may be wrong; look at timedatectl",
        )
        console.print(words, style="yellow")
    console.print(_uplinks(status["uplinks"]))
    storage = status["facts"].get("storage") or {}
    if storage.get("low"):
        words = _say(
            "磁盘空间不足，先删级别低的最旧事件：运行 df -h 查看，腾出空间",
            "the disk is short of space, and the oldest events of low classes go first: look at df -h and free some",
        )
        console.print(words, style="red")
    if off_line := storage.get("off_line"):
        console.print(escape(off_line["words"]))


def _say(zh: str, en: str) -> str:
    return Text(zh, en).say(language())


def _word(name: str) -> str:
    from gateway.wording import DEVICE_WORDS

    return DEVICE_WORDS[name].say(language()) if name in DEVICE_WORDS else name


def _table(*heads: str) -> Table:
    """A long name or path in it is broken into lines, never cut."""
    from rich.table import Table

    table = Table()
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def _devices(devices: list[dict[str, Any]]) -> Table:
    from rich.markup import escape

    table = _table("", _say("设备", "device"), _say("通行点", "point"), _say("状态", "status"), _say("说明", "detail"))
    for device in devices:
        style = {"online": "green", "offline": "yellow"}.get(device["status"], "red")
        state = f"[{style}]{_word(device['status'])}[/]"
        table.add_row(
            _word(device["kind"]), device["name"], device["point"] or "", state, escape(device["detail"] or "")
        )
    return table


def _uplinks(uplinks: dict[str, dict[str, Any]]) -> Table:
    """`waiting` and `dead` are None where the disk does not tell."""
    from rich.markup import escape

    heads = [
        ("平台", "uplink"),
        ("已连接", "connected"),
        ("待上传", "waiting"),
        ("被拒收", "refused"),
        ("说明", "detail"),
    ]
    table = _table(*(_say(zh, en) for zh, en in heads))
    for name, uplink in uplinks.items():
        connected = _say("是", "yes") if uplink["connected"] else _say("否", "no")
        counts = ["?" if uplink[key] is None else str(uplink[key]) for key in ("waiting", "dead")]
        why = " → ".join(part for part in (uplink.get("reason"), uplink.get("hint")) if part)
        refusals = [f"{reason} ×{count}" for reason, count in (uplink.get("refusals") or {}).items()]
        if refusals:
            refusals.append(f"→ compound-gateway uplink dead {name}")
        table.add_row(name, connected, *counts, escape("\n".join(part for part in (why, " ".join(refusals)) if part)))
    return table
