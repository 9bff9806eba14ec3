"""`compound-gateway demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.cli.options import config_option, language, speak_as
from gateway.text import Language


@click.command("demo")
@click.option("--seconds", default=45.0, show_default=True, help="至少持续的秒数 · How long it lasts, at least.")
@click.option("--keep", is_flag=True, help="演示后继续运行，Ctrl-C 结束 · Leave it running; Ctrl-C ends it.")
@click.option("--language", "chosen", type=click.Choice([str(one) for one in Language]), help="语言 · Language.")
@config_option
def command(seconds: float, keep: bool, chosen: str | None, config_path: Path) -> None:
    """演示全部主要功能 · Show the main job on this machine.

    内置 MQTT 服务器、虚拟读卡器、回放画面；中途断网、断电 ·
    An embedded broker, virtual readers, replayed pictures; an outage and a power cut in the middle.

    不需要配置；--config 只决定语言 · It needs no configuration; --config only says which language to speak.
    """
    from gateway.demo.story import play

    speak_as(config_path)
    sys.exit(play(Language(chosen) if chosen else language(), seconds, keep=keep))
