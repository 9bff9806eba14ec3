"""`compound-gateway status`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.text import Text


@click.command("status")
@config_option
@json_option
def command(config_path: Path, as_json: bool) -> None:
    """查看运行中的守护进程 · Show how the running daemon is doing."""
    from gateway.status_socket import ask

    status = ask(load_settings(config_path).gateway.data_dir)
    if as_json:
        click.echo(json.dumps(status, ensure_ascii=False, indent=2))
    else:
        _print(status)


def _print(status: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    def say(zh: str, en: str) -> str:
        return Text(zh, en).say(language())

    console = Console(highlight=False)
    console.print(status["words"], style="bold")
    devices = Table("", say("设备", "device"), say("通行点", "point"), say("状态", "status"), say("说明", "detail"))
    for device in status["devices"]:
        style = {"online": "green", "offline": "yellow"}.get(device["status"], "red")
        devices.add_row(
            device["kind"], device["name"], device["point"] or "", f"[{style}]{device['status']}[/]", device["detail"]
        )
    console.print(devices)
    uplinks = Table(say("平台", "uplink"), say("已连接", "connected"), say("待上传", "waiting"), say("死信", "refused"))
    for name, uplink in status["uplinks"].items():
        uplinks.add_row(name, str(uplink["connected"]), str(uplink["waiting"]), str(uplink["dead"]))
    console.print(uplinks)
