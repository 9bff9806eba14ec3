"""`compound-gateway check`: is the configuration right, and with `--live`, does everything it names answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.errors import StoreError
from gateway.text import Text

if TYPE_CHECKING:
    from gateway.config import ConfigFaults
    from gateway.settings import Settings
    from gateway.survival import Survival

_RIGHT = Text(
    "配置正确：通行点 {points}、读卡器 {readers}、摄像机 {cameras}、执行器 {actuators}、平台 {uplinks}",
    "the configuration is right: points {points}, readers {readers}, cameras {cameras}, "
    "actuators {actuators}, uplinks {uplinks}",
)
_UNMEASURED = Text(
    "断网后能撑多少天：事件还不够，运行一小时后再看",
    "how many days it survives off line: too few events yet, look again after an hour of them",
)


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
    from gateway.config import ConfigFaults

    try:
        settings = load_settings(config_path)
    except ConfigFaults as refused:
        if as_json:
            click.echo(json.dumps(_as_json(refused), ensure_ascii=False))
        raise
    counts = {
        "points": len(settings.points),
        "readers": len(settings.readers),
        "cameras": len(settings.cameras),
        "actuators": len(settings.actuators),
        "uplinks": len(settings.uplinks),
    }
    notes, off_line = list(_notes(settings)), _off_line(settings)
    if not as_json:
        for line in (_RIGHT.with_(**counts), *notes, off_line.say() if off_line else _UNMEASURED):
            click.echo(line.say(language()))
    if live:
        from gateway.live_check import try_everything

        sys.exit(try_everything(settings, as_json=as_json))
    if as_json:
        days = {"days": round(off_line.days, 1), "class": off_line.event_class.value} if off_line else None
        said = [note.say(language()) for note in notes]
        click.echo(json.dumps({"ok": True, **counts, "off_line": days, "notes": said}, ensure_ascii=False))


def _notes(settings: Settings) -> Iterator[Text]:
    """What the drivers and the law advise though nothing is wrong."""
    from gateway.config.advice import advice
    from gateway.wording import DEVICE_WORDS

    words = Text("注意，{kind} {name}：{advice}", "note, {kind} {name}: {advice}")
    for kind, name, said in (*_of_drivers(settings), *advice(settings)):
        yield words.with_(kind=DEVICE_WORDS[kind], name=name, advice=said)


def _of_drivers(settings: Settings) -> Iterator[tuple[str, str, Text]]:
    from gateway.registry import devices, load_driver

    for kind, name, table in devices(settings):
        driver = load_driver(kind, table.driver)
        for said in driver.advice(driver.Options.model_validate(table.options)):
            yield kind, name, said


def _as_json(refused: ConfigFaults) -> dict[str, object]:
    faults = [
        {"line": fault.line or None, "key": fault.key or None, "message": fault.message.say(refused.language)}
        for fault in refused.faults
    ]
    return {"ok": False, "faults": faults}


def _off_line(settings: Settings) -> Survival | None:
    """How long events would be kept without any platform; None where nothing has been measured."""
    from gateway.journal import JournalReader
    from gateway.survival import estimate

    reader = JournalReader(settings.gateway.data_dir / "journal" / "journal.db")
    wanted = {kind for uplink in settings.uplinks.values() for kind in uplink.classes}
    with suppress(StoreError, OSError):  # no daemon has run yet, or it is not for our eyes: no fault of the file
        return estimate(settings.journal, reader, wanted)
    return None
