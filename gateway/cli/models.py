"""`compound-gateway models …`: what recognises what, from where, whether it is whole, how well and how fast."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from gateway.cli.models_bench import bench
from gateway.cli.options import DEFAULT_CONFIG, config_option, json_option, language, load_settings
from gateway.errors import ModelError, Rejected
from gateway.text import Text

_STATES = {
    "ok": Text("完好", "whole"),
    "not made": Text("未生成", "not made"),
    "fault": Text("有误", "fault"),
}


@click.group()
def command() -> None:
    """识别模型 · Models: what recognises what."""


command.add_command(bench)


@command.command("list")
@json_option
@config_option
def list_models(as_json: bool, config_path: Path) -> None:
    """列出模型 · List the models, with licence, source, state and measured accuracy."""
    rows = [_row(folder) for folder in _folders(config_path)]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        click.echo(f"{row['name']:<18} {row.get('task', ''):<14} {_say(_STATES[row['state']])}  {row['folder']}")
        if "fault" in row:
            click.echo(f"    {row['fault']}")
            continue
        click.echo(f"    {row['licence']} · {row['source']}" + (f" · {row['assurance']}" if row["assurance"] else ""))
        for file in row["files"]:
            click.echo(f"    {file['name']} · sha256 {file['sha256'][:16]}…")
        for one in row["accuracy"]:
            click.echo(f"    {one['metric']}: {one['value']:g} ({one['data']})")


@command.command()
@json_option
@config_option
def verify(as_json: bool, config_path: Path) -> None:
    """逐字节核对模型 · Compare every byte of every model with its card; exit code 1 on a fault."""
    rows = [_row(folder) for folder in _folders(config_path)]
    if as_json:
        click.echo(json.dumps([_brief(row) for row in rows], ensure_ascii=False, indent=2))
    else:
        for row in rows:
            click.echo(
                f"{row['name']}: {_say(_STATES[row['state']])}" + (f": {row['fault']}" if "fault" in row else "")
            )
    if any(row["state"] == "fault" for row in rows):
        sys.exit(1)


@command.command()
@click.option(
    "--set",
    "chosen",
    type=click.Choice(["embedded", "recommended"]),
    default="embedded",
    show_default=True,
    help="embedded 由已装软件包生成，recommended 从网上下载 · From installed packages, or fetched from their makers.",
)
@click.option("--list", "list_path", type=click.Path(path_type=Path, dir_okay=False), help="下载清单 · List to fetch.")
@click.option("--accept-licence", is_flag=True, help="接受所列许可 · Accept the licences shown.")
@click.option(
    "--int8", is_flag=True, help="本机若更快，另生成 int8 人脸模型 · Also an int8 face model, if faster here."
)
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="放到此目录 · Folder to write to.")
@config_option
def prepare(
    chosen: str, list_path: Path | None, accept_licence: bool, int8: bool, into: Path | None, config_path: Path
) -> None:
    """生成人脸模型 · Make the face models on this box, or fetch stronger ones."""
    folder = into or _own_folder(config_path)
    if chosen == "recommended":
        made = _fetch(list_path, folder, accept_licence)
    else:
        from gateway.vision.prepare import prepare as make
        from gateway.vision.prepare import prepare_int8

        made = make(folder, lambda text: click.echo(_say(text)))
        twin = prepare_int8(folder, lambda text: click.echo(_say(text))) if int8 else None
        made += [twin] if twin else []
    click.echo(_say(Text("共 {count} 个模型", "{count} models").with_(count=len(made))))


def _fetch(list_path: Path | None, into: Path, accepted: bool) -> list[Path]:
    from gateway.vision.recommended import fetch, read_list, refuse_unaccepted, shipped_list

    offers = read_list(list_path or shipped_list())
    if not offers:
        click.echo(_say(_NO_OFFERS), err=True)
    for offer in offers:
        card = offer.card
        size = sum(file.bytes for file in card.files) / 1e6
        click.echo(f"{card.name} {card.version} ({card.task}, {size:.1f} MB) · {card.licence} · {offer.licence_url}")
    if offers and not accepted:
        raise refuse_unaccepted(offers)
    return [fetch(offer, into, lambda text: click.echo(_say(text))) for offer in offers]


_NO_OFFERS = Text(
    "随附的清单为空；可用 --list 指定自己的清单，见 docs/models.zh-CN.md",
    "the shipped list is empty; name your own with --list, see docs/models.md",
)


@command.command("import")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@config_option
def import_models(folder: Path, config_path: Path) -> None:
    """导入模型 · Copy a model, or a folder of models, from a stick; each is verified before it counts."""
    from gateway.vision.imports import import_folder

    for model in import_folder(folder, _own_folder(config_path)):
        card = model.card
        click.echo(f"{model.name} {card.version} ({card.task}) · {card.licence} · {card.assurance or '-'}")


def _folders(config_path: Path) -> Iterator[Path]:
    from gateway.vision.catalogue import folders, model_dirs

    return folders(model_dirs(_data_dir(config_path)))


def _data_dir(config_path: Path) -> Path | None:
    """Without a configuration (a box that is being set up) only the shipped models are known."""
    if config_path == DEFAULT_CONFIG and not config_path.exists():
        return None
    return load_settings(config_path).gateway.data_dir


def _own_folder(config_path: Path) -> Path:
    data_dir = _data_dir(config_path)
    if data_dir is None:
        raise Rejected(
            Text("没有配置文件，不知道模型放在哪里", "there is no configuration that says where models are kept"),
            hint=Text("用 --config 指定配置文件", "name the configuration with --config"),
        )
    return data_dir / "models"


def _row(folder: Path) -> dict[str, Any]:
    """What is known of one model's folder, with its state."""
    from gateway.vision.catalogue import open_model

    row: dict[str, Any] = {"name": folder.name, "folder": str(folder), "state": "ok"}
    try:
        model = open_model(folder)
        row |= model.card.model_dump(mode="json", exclude={"name", "prepare"})
        if not model.is_made:
            row["state"] = "not made"
        else:
            model.verify()
    except ModelError as error:
        parts: Sequence[str | Text] = (error.message, error.hint)
        row |= {"state": "fault", "fault": " ".join(_say(part) for part in parts if str(part))}
    return row


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("name", "folder", "state", "fault") if key in row}


def _say(text: str | Text) -> str:
    return text.say(language()) if isinstance(text, Text) else text
