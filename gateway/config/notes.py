"""What `check` advises of a configuration that is taken, and yet will not do what was meant, or what the law asks for.

Rule: nothing here is a fault. A daemon that starts with it today starts with it tomorrow: its doors wait for nobody.
"""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gateway.errors import StoreError
from gateway.registry import devices, load_driver
from gateway.roster import FILE_NAME, points_named
from gateway.settings import Camera, Settings, Vision
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
_SIGN = Text(
    "未设告知标识：公共区域的摄像机须有显著提示；张贴后设 sign_posted = true",
    "no sign is posted: people must be told where a camera films; post one, then set sign_posted = true",
)
_STRANGERS = Text(
    '识别后照片仍留在盘上，其中有未登记者的人脸；请设 after = "delete"',
    'its photos stay after recognition, with faces of people who are not enrolled: set after = "delete"',
)
_READABLE = Text(
    "未加密：途中任何人都能看到车牌、房号和密码；请与平台商定 TLS（port = 8883 或 ca_file）",
    "not encrypted: plates, rooms and its password can be read on the way; agree on TLS (port = 8883, or ca_file)",
)


def notes(settings: Settings) -> Iterator[Text]:
    """Each with what to do."""
    for kind, name, advice in (*_of_drivers(settings), *_of_law(settings)):
        yield _DEVICE.with_(kind=DEVICE_WORDS[kind], name=name, advice=advice)
    yield from _of_memory(settings)
    yield from _of_disk(settings)
    yield from _of_roster(settings)


def _of_drivers(settings: Settings) -> Iterator[tuple[str, str, Text]]:
    for kind, name, table in devices(settings):
        driver = load_driver(kind, table.driver)
        for advice in driver.advice(driver.Options.model_validate(table.options)):
            yield kind, name, advice


def _of_law(settings: Settings) -> Iterator[tuple[str, str, Text]]:
    for name, camera in settings.cameras.items():
        if camera.recognise and not camera.sign_posted:
            yield "camera", name, _SIGN
        if "face" in camera.recognise and _keeps_photos(camera):
            yield "camera", name, _STRANGERS
    for name, uplink in settings.uplinks.items():
        if not uplink.tls and not all(_is_this_box(address.host) for address in uplink.addresses):
            yield "uplink", name, _READABLE


def _keeps_photos(camera: Camera) -> bool:
    options = load_driver("camera", camera.driver).Options.model_validate(camera.options)
    return getattr(options, "after", "delete") != "delete"


def _is_this_box(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


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
