"""`capture.get`: a picture goes to a platform that may have it, one at a time, and never by itself.

Rule: three yeses. The operator keeps such pictures, names this uplink in `[captures] uplinks`, and lets it see plates
in clear: a picture of a plate cannot be masked.
"""

from __future__ import annotations

import base64

from gateway.captures import Captures
from gateway.cloudevent import DEFAULT_FIELDS
from gateway.downlink.answers import Answer, Code, Refusal
from gateway.downlink.calls import Picture
from gateway.settings import Settings
from gateway.text import Text
from gateway.types import EventClass, ShotKind


class Pictures:
    """The captures as platforms may see them."""

    def __init__(self, captures: Captures, settings: Settings) -> None:
        self._captures, self._settings = captures, settings

    def get(self, wanted: Picture, uplink: str) -> Answer:
        """The picture in base64. Raises `Refusal`."""
        self._refuse_unless_permitted(wanted.kind, uplink)
        jpeg = self._captures.read(wanted.capture, wanted.kind)
        if jpeg is None:
            words = Text(
                "没有这张图片（未保存、已到期或已清理）", "there is no such picture (never kept, expired or shed)"
            )
            raise Refusal(Code.UNKNOWN_CAPTURE, words)
        kinds = [kind.value for kind in self._captures.kinds(wanted.capture)]
        said = {"capture": wanted.capture, "kind": wanted.kind.value, "kinds": kinds, "content_type": "image/jpeg"}
        return Answer(Code.DONE, result={**said, "size": len(jpeg), "data": base64.b64encode(jpeg).decode("ascii")})

    def _refuse_unless_permitted(self, kind: ShotKind, uplink: str) -> None:
        policy, options = self._settings.captures, self._settings.uplinks[uplink]
        if not (policy.plate if kind is ShotKind.PLATE else policy.scene):
            words = Text("此网关不保存此类图片（[captures]）", "this gateway keeps no such pictures ([captures])")
            raise Refusal(Code.UNSUPPORTED, words)
        plate_no = {**DEFAULT_FIELDS, **options.fields}["plate_no"]
        if uplink not in policy.uplinks or plate_no != "clear" or EventClass.VEHICLE not in options.classes:
            words = Text(
                "不允许此平台获取图片（[captures] uplinks、plate_no 字段策略）",
                "this platform may not have pictures ([captures] uplinks, the field policy of plate_no)",
            )
            raise Refusal(Code.NOT_ALLOWED, words)
