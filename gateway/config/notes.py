"""What `check` advises of a configuration that is right: it may be taken as it is, and will not do what was meant.

Rule: nothing here is a fault. A daemon that starts with it today starts with it tomorrow: its doors wait for nobody.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gateway.errors import StoreError
from gateway.registry import devices, load_driver
from gateway.roster import FILE_NAME, points_named
from gateway.settings import Settings, Vision
from gateway.text import Text
from gateway.wording import DEVICE_WORDS

# Bytes that a process takes before its first picture of 1080p, rounded up: below it none ever serves.
_LEAST = {"max_rss": 192 << 20, "max_decoder_rss": 96 << 20}

_DEVICE = Text("注意，{kind} {name}：{advice}", "note, {kind} {name}: {advice}")
_TOO_SMALL = Text(
    "注意，[vision] {key}：{given} MiB 太小，识别进程会不断重启；至少 {least} MiB，建议删去此键（默认 {usual} MiB）",
    "note, [vision] {key}: {given} MiB are too few, the process would be replaced again and again; give {least} MiB or "
    "more, or leave the key out ({usual} MiB)",
)
_NO_ROOM = Text(
    "注意，[journal] min_free：{path} 所在磁盘共 {total} MiB，留不出 {given} MiB，事件会不断被清理；请改小，如 256MiB",
    "note, [journal] min_free: the disk of {path} has {total} MiB in all, {given} MiB can never be free there; events "
    "would be shed all the time; write less, such as 256MiB",
)
_NO_POINT = Text(
    "注意，名册允许 {n} 人通过“{name}”，配置中没有此通行点（可能改名或删除）；请在配置中恢复此名，或修改名册",
    "note, the roster lets {n} holders pass '{name}', a point that the configuration does not have: give the point "
    "that name again, or change the roster",
)


def notes(settings: Settings) -> Iterator[Text]:
    """Each with what to do."""
    yield from _of_drivers(settings)
    yield from _of_memory(settings)
    yield from _of_disk(settings)
    yield from _of_roster(settings)


def _of_drivers(settings: Settings) -> Iterator[Text]:
    for kind, name, table in devices(settings):
        driver = load_driver(kind, table.driver)
        for advice in driver.advice(driver.Options.model_validate(table.options)):
            yield _DEVICE.with_(kind=DEVICE_WORDS[kind], name=name, advice=advice)


def _of_memory(settings: Settings) -> Iterator[Text]:
    for key, least in _LEAST.items() if settings.cameras else ():
        given, usual = getattr(settings.vision, key), getattr(Vision(), key)
        if given < least:
            yield _TOO_SMALL.with_(key=key, given=given >> 20, least=least >> 20, usual=usual >> 20)


def _of_disk(settings: Settings) -> Iterator[Text]:
    folder, given = settings.gateway.data_dir, settings.journal.min_free
    try:
        total = shutil.disk_usage(_existing(folder)).total
    except OSError:  # it is not for our eyes
        return
    if given >= total:
        yield _NO_ROOM.with_(path=folder, total=total >> 20, given=given >> 20)


def _of_roster(settings: Settings) -> Iterator[Text]:
    with suppress(StoreError):  # `status` says that it is damaged; or it is not for our eyes
        named = points_named(settings.gateway.data_dir / FILE_NAME)
        for name in sorted(set(named) - set(settings.points)):
            yield _NO_POINT.with_(n=named[name], name=name)


def _existing(folder: Path) -> Path:
    """Where it will be made, if it is not there yet."""
    return next(place for place in (folder, *folder.parents) if place.exists())
