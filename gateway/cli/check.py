"""`compound-gateway check`: is the configuration right, and with `--live`, does everything it names answer."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.text import Text


@click.command("check")
@config_option
@click.option(
    "--live",
    is_flag=True,
    help="逐一试用设备、模型和平台 · Try every device, model and uplink.",
)
@json_option
def command(config_path: Path, live: bool, as_json: bool) -> None:
    """检查配置 · Check the configuration; exit code 78 where it has faults."""
    settings = load_settings(config_path)
    counts = {
        "points": len(settings.points),
        "readers": len(settings.readers),
        "cameras": len(settings.cameras),
        "actuators": len(settings.actuators),
        "uplinks": len(settings.uplinks),
    }
    if not as_json:
        click.echo(
            Text(
                "配置正确：通行点 {points}、读卡器 {readers}、摄像机 {cameras}、执行器 {actuators}、平台 {uplinks}",
                "the configuration is right: {points} points, {readers} readers, {cameras} cameras, "
                "{actuators} actuators, {uplinks} uplinks",
            )
            .with_(**counts)
            .say(language())
        )
    if live:
        from gateway.live_check import try_everything

        sys.exit(try_everything(settings, as_json=as_json))
    if as_json:
        import json

        click.echo(json.dumps({"ok": True, **counts}))
