"""`compound-gateway watch`: aim a camera from a shell without a screen."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import click

from gateway.cli.options import config_option, json_option, language, load_settings


@click.command("watch")
@click.argument("camera")
@config_option
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="每秒存一张带框图（人脸不可辨认） · Save a picture with boxes each second; nobody can be recognised in it.",
)
@click.option("--seconds", type=click.FloatRange(min=1), help="到时结束 · End after so long.")
@json_option
def command(camera: str, config_path: Path, save: Path | None, seconds: float | None, as_json: bool) -> None:
    """安装时对准摄像机：每秒一行 · Aim a camera: one line a second of what it shows and what would be published.

    不上报任何内容，网关运行时也可用；Ctrl-C 结束 · Publishes nothing, works beside the daemon; Ctrl-C ends it.
    """
    settings = load_settings(config_path)
    if camera not in settings.cameras:
        known = ", ".join(settings.cameras) or "-"
        words = f"没有摄像机 {camera}，可用：{known} · no camera {camera}; there are: {known}"
        raise click.BadParameter(words, param_hint="CAMERA")
    from gateway.supervisor import QUIET

    os.environ.update(QUIET)  # before OpenCV is loaded
    from gateway.aiming import Aiming
    from gateway.vision.looks import build

    stop = threading.Event()
    aiming = Aiming(settings, camera, build)
    if seconds is not None:
        threading.Timer(seconds, stop.set).start()
    try:
        for second in aiming.seconds(stop, save):
            click.echo(second.as_json() if as_json else second.words(language()))
    except KeyboardInterrupt:
        stop.set()
