"""`compound-gateway run`."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

import click

from gateway.cli.options import config_option, load_settings


@click.command("run")
@config_option
@click.option("--verbose", is_flag=True, help="更详细的运行日志 · More log lines.")
def command(config_path: Path, verbose: bool) -> None:
    """在前台运行网关 · Run the daemon in the foreground.

    SIGTERM：10 秒内正常停止；SIGHUP：重新载入配置 · SIGTERM stops it cleanly within 10 s, SIGHUP reloads.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # it waits until the daemon listens
    from gateway.daemon import run

    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    sys.exit(run(load_settings(config_path), config_path))
