"""What the law asks for beyond what can be refused: said by `check`, though nothing in the file is wrong."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress

from gateway.registry import load_driver
from gateway.settings import Camera, Settings
from gateway.text import Text

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


def advice(settings: Settings) -> Iterator[tuple[str, str, Text]]:
    """The kind and the name of what each piece of advice is about."""
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
