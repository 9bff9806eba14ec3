"""How the house stands: one line in words for systemd, a whole document for `status`, the catalog for platforms.

Rule: a journal that cannot be read is a thing to report, and no reason to fail.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway import __version__
from gateway.board import Board, DeviceState
from gateway.clock import boot_id, trust
from gateway.cloudevent import SCHEMA_VERSION
from gateway.errors import StoreError
from gateway.journal import Journal
from gateway.settings import Actuator, Camera, Reader, Settings
from gateway.text import Text
from gateway.types import DeviceStatus

_STARTED = time.monotonic()
_UNREAD: dict[str, Any] = {"waiting": None, "oldest": None, "dead": None, "refusals": {}}  # what the disk does not tell
_KINDS = {
    "reader": Text("读卡器", "readers"),
    "camera": Text("摄像机", "cameras"),
    "actuator": Text("执行器", "actuators"),
}
_OFF = {
    "plate": Text("车牌识别已停用", "plate recognition is off"),
    "face": Text("人脸识别已停用", "face recognition is off"),
}
_FAULTY = Text(
    "配置有误，沿用原配置（用 compound-gateway check 查看）",
    "the configuration has faults, the one before counts (compound-gateway check names them)",
)
_LATER = Text("{tables} 的改动重启后生效", "changes in {tables} wait for a restart")


@dataclass(slots=True)
class Report:
    """Reads the board and the journal, once there is one; writes nothing."""

    settings: Settings
    board: Board
    journal: Journal | None = None

    def words(self) -> str:
        """One line in the site's language, e.g. `读卡器 2/2 在线，待上传 0`."""
        language = self.settings.site.language
        online = {device.name for device in self.board.devices() if device.status is DeviceStatus.ONLINE}
        parts = []
        for kind, table in _tables(self.settings).items():
            if table:
                parts.append(f"{_KINDS[kind].say(language)} {len(online & set(table))}/{len(table)}")
        faults = (self.board.facts().get("vision") or {}).get("faults") or {}
        parts += [_OFF[kind].say(language) for kind in faults if kind in _OFF]
        for name in self.settings.uplinks:
            state = self._uplink(name)
            link = Text("已连接", "connected") if state["connected"] else Text("未连接", "not connected")
            count = "?" if state["waiting"] is None else state["waiting"]
            waiting = Text("待上传 {n}", "{n} waiting").with_(n=count)
            parts.append(f"{name} {link.say(language)} {waiting.say(language)}")
        silent = self.board.silent()
        if silent:
            parts.append(Text("无响应：{parts}", "silent: {parts}").with_(parts=", ".join(silent)).say(language))
        parts[:0] = [part.say(language) for part in _reload(self.board.facts().get("reload") or {})]
        if (self.board.facts().get("roster") or {}).get("fault"):
            parts.insert(0, Text("名册有误，沿用上次的名册", "roster faulty, its last copy counts").say(language))
        fault = self.board.facts().get("journal.fault")
        if fault:
            parts.insert(
                0, Text("事件无法保存：{fault}", "events cannot be kept: {fault}").with_(fault=fault).say(language)
            )
        return " · ".join(parts)

    def snapshot(self) -> dict[str, Any]:
        """Everything `status` shows, JSON-able."""
        facts = self.board.facts()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - _STARTED, 1),
            "boot_id": boot_id(),
            "clock": trust(),
            "words": self.words(),
            "devices": [_device(state) for state in self.board.devices()],
            "threads": self.board.beats(),
            "silent": self.board.silent(),
            "journal": self._journal(),
            "uplinks": {name: self._uplink(name) for name in self.settings.uplinks},
            "vision": facts.get("vision", {}),
            "roster": facts.get("roster", {}),
            "facts": {name: value for name, value in facts.items() if name not in {"vision", "roster"}},
            "counters": self.board.counters(),
        }

    def _journal(self) -> dict[str, Any]:
        if self.journal is None:
            return {"fault": self.board.facts().get("journal.fault") or "not open yet"}
        try:
            return self.journal.stats()
        except (StoreError, OSError) as error:
            return {"fault": str(error)}

    def _uplink(self, name: str) -> dict[str, Any]:
        """How far one uplink has come, and what its broker refused why."""
        said = self.board.facts().get(f"uplink.{name}") or {}
        found: dict[str, Any] = {**said, "connected": said.get("status") == "online"}
        if self.journal is None:
            return {**found, **_UNREAD}
        try:
            pending = self.journal.pending(name, self.settings.uplinks[name].classes)
            dead, why = self.journal.count_dead(name), self.journal.count_refusals(name)
        except StoreError:
            return {**found, **_UNREAD}
        oldest = pending.oldest.isoformat(timespec="milliseconds") if pending.oldest else None
        return {**found, "waiting": pending.count, "oldest": oldest, "dead": dead, "refusals": why}

    def catalog(self) -> dict[str, Any]:
        """What this box has and what it may send: site, points, devices, event classes with schema versions."""
        settings = self.settings
        return {
            "site": settings.site.model_dump(mode="json"),
            "gateway": settings.gateway.id,
            "version": __version__,
            "points": {
                name: point.model_dump(mode="json", exclude_none=True) for name, point in settings.points.items()
            },
            "devices": [*_devices(settings)],
            "classes": {kind.value: {"schema": version} for kind, version in SCHEMA_VERSION.items()},
        }


def _reload(last: dict[str, Any]) -> list[Text]:
    """What the last reload left undone."""
    if last.get("faulty"):
        return [_FAULTY]
    tables = ", ".join(f"[{name}]" for name in last.get("waits_for_restart", ()))
    return [_LATER.with_(tables=tables)] if tables else []


def _device(state: DeviceState) -> dict[str, Any]:
    return {
        "name": state.name,
        "kind": state.kind,
        "point": state.point,
        "status": state.status,
        "since": state.since.time.isoformat(timespec="milliseconds"),
        "detail": state.detail,
    }


def _tables(settings: Settings) -> dict[str, Mapping[str, Reader | Camera | Actuator]]:
    """What is configured, by kind: a device counts from the start, and not only once it has reported."""
    return {"reader": settings.readers, "camera": settings.cameras, "actuator": settings.actuators}


def _devices(settings: Settings) -> Iterable[dict[str, Any]]:
    for kind, table in _tables(settings).items():
        for name, device in table.items():
            entry = {"name": name, "kind": kind, "driver": device.driver, "point": getattr(device, "point", None)}
            yield {key: value for key, value in entry.items() if value is not None}
