"""The settings as a platform may see them.

Rule: what is shown is named here. A new key stays at home until somebody has looked at it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.settings import DeviceTable, Settings

_OPTIONS = {"port", "baud", "encoding", "format", "reverse", "channel", "address", "transport", "interval", "loop"}
_UPLINK = {
    "host",
    "port",
    "hosts",
    "session_expiry",
    "start",
    "topic_prefix",
    "protocol",
    "classes",
    "fields",
    "ack_required",
    "keepalive_s",
    "window",
    "backlog_rate",
}
_USERINFO = re.compile(r"//[^/@\s]*@")


def public_settings(settings: Settings, uplink: str) -> dict[str, Any]:
    """Everything but secrets, paths of this box and what concerns other platforms."""
    options = settings.uplinks[uplink]
    return {
        "site": settings.site.model_dump(mode="json"),
        "gateway": {"id": settings.gateway.id},
        "points": {name: point.model_dump(mode="json", exclude_none=True) for name, point in settings.points.items()},
        "readers": _devices(settings.readers),
        "cameras": _devices(settings.cameras),
        "actuators": _devices(settings.actuators),
        "face": settings.face.model_dump(mode="json", include={"enabled", "model", "detector", "min_face"}),
        "plate": settings.plate.model_dump(mode="json"),
        "uplinks": {uplink: {**options.model_dump(mode="json", include=_UPLINK), "tls": options.tls}},
        "journal": settings.journal.model_dump(mode="json"),
        "captures": settings.captures.model_dump(mode="json", exclude={"uplinks"}),
        "commands": settings.commands.model_dump(mode="json"),
        "vision": settings.vision.model_dump(mode="json"),
    }


def _devices(tables: Mapping[str, DeviceTable]) -> dict[str, Any]:
    return {
        name: {
            **table.model_dump(mode="json", exclude={"options"}),
            **{key: _plain(value) for key, value in table.options.items() if key in _OPTIONS},
        }
        for name, table in tables.items()
    }


def _plain(value: Any) -> Any:
    """Without the user and password that a URL may hold."""
    return _USERINFO.sub("//", value) if isinstance(value, str) else value
