"""`compound-gateway schemas`: the shapes of all messages, for those who build a platform."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.options import config_option, speak_as


@click.command("schemas")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@config_option
def command(folder: Path, config_path: Path) -> None:
    """写出 JSON Schema 和 AsyncAPI 文档 · Write the JSON Schemas and the AsyncAPI document into FOLDER."""
    from gateway.schemas import write

    speak_as(config_path)
    for path in write(folder):
        click.echo(path)
