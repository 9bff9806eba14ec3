"""`compound-gateway demo`."""

from __future__ import annotations

import sys

import click

from gateway.cli.options import language
from gateway.text import Language


@click.command("demo")
@click.option("--seconds", default=45.0, show_default=True, help="至少持续的秒数 · How long it lasts, at least.")
@click.option("--keep", is_flag=True, help="演示后继续运行，Ctrl-C 结束 · Leave it running; Ctrl-C ends it.")
@click.option("--language", "chosen", type=click.Choice([str(one) for one in Language]), help="语言 · Language.")
def command(seconds: float, keep: bool, chosen: str | None) -> None:
    """演示全部主要功能 · Show the main job on this machine.

    内置 MQTT 服务器、虚拟读卡器、回放画面；中途断网、断电 ·
    An embedded broker, virtual readers, replayed pictures; an outage and a power cut in the middle.
    """
    from gateway.demo.story import play

    sys.exit(play(Language(chosen) if chosen else language(), seconds, keep=keep))
