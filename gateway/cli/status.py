"""`compound-gateway status`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.text import Text

_WORDS: Final = {
    "reader": Text("读卡器", "reader"),
    "camera": Text("摄像机", "camera"),
    "actuator": Text("执行器", "actuator"),
    "online": Text("在线", "online"),
    "offline": Text("离线", "offline"),
    "fault": Text("故障", "fault"),
    "plate": Text("车牌", "plates"),
    "face": Text("人脸", "faces"),
}


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
    from rich.markup import escape
    from rich.table import Table

    def say(zh: str, en: str) -> str:
        return Text(zh, en).say(language())

    def word(name: str) -> str:
        return _WORDS[name].say(language()) if name in _WORDS else name

    console = Console(highlight=False)
    console.print(escape(status["words"]), style="bold")
    devices = Table("", say("设备", "device"), say("通行点", "point"), say("状态", "status"), say("说明", "detail"))
    for device in status["devices"]:
        style = {"online": "green", "offline": "yellow"}.get(device["status"], "red")
        state = f"[{style}]{word(device['status'])}[/]"
        devices.add_row(
            word(device["kind"]), device["name"], device["point"] or "", state, escape(device["detail"] or "")
        )
    console.print(devices)
    for kind, detail in (status["vision"].get("faults") or {}).items():
        title = Text("{kind}识别已停用", "recognition of {kind} is off").with_(kind=word(kind)).say(language())
        console.print(f"{title}: {escape(str(detail))}", style="red")
    uplinks = Table(say("平台", "uplink"), say("已连接", "connected"), say("待上传", "waiting"), say("死信", "refused"))
    for name, uplink in status["uplinks"].items():
        connected = say("是", "yes") if uplink["connected"] else say("否", "no")
        counts = ["?" if uplink[key] is None else str(uplink[key]) for key in ("waiting", "dead")]
        uplinks.add_row(name, connected, *counts)
    console.print(uplinks)
