"""`check --live`: opens each reader, grabs a frame per camera, loads each model, round-trips each uplink.

Rule: one line each, with the fix; nothing is switched, no door opens. While the daemon runs it holds the devices,
so its own word on them is given instead.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, get_args
from zoneinfo import ZoneInfo

import click
from rich.cells import cell_len

from gateway.addresses import Address
from gateway.bell import Bell
from gateway.clock import now
from gateway.cloudevent import local_time
from gateway.contracts import SelfKnowing, StillCamera
from gateway.downlink.answers import Answer, Code
from gateway.errors import DeviceLost, GatewayError, Rejected, Unreachable
from gateway.mqtt import Acknowledged, Connected, Link, Lost
from gateway.registry import Kind, connector, devices
from gateway.settings import DeviceTable, Settings, Uplink
from gateway.status_socket import ask
from gateway.text import Language, Text, on_one_line, spoken
from gateway.types import Unreadable
from gateway.wording import DEVICE_WORDS

_FRAME_S = 10.0
_ROUND_TRIP_S = 10.0
_REQUEST = "check-live"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the report."""

    kind: str
    name: str
    ok: bool
    words: Text | str
    hint: Text | str = ""


def try_everything(settings: Settings, notes: Iterable[Text] = (), *, as_json: bool) -> int:
    """Try and print one line each as it is known, `notes` first; returns the exit code, 1 if anything failed."""
    failed = False
    noted = (Outcome("note", "", True, note) for note in notes)
    for outcome in chain(noted, _outcomes(settings)):
        failed = failed or not outcome.ok
        click.echo(_as_json(outcome) if as_json else _as_line(outcome, settings.site.language))
    return 1 if failed else 0


def _outcomes(settings: Settings) -> Iterator[Outcome]:
    try:
        status = ask(settings.gateway.data_dir)
        yield from _said_by_daemon(status)
        yield from _unknown_to_daemon(status, settings)
    except Unreachable:
        for kind, name, table in devices(settings):
            attempt = _grab if kind == "camera" else _open_and_close
            yield _tried(kind, name, partial(attempt, partial(_connect, kind, table, settings)))
    wanted = {what for camera in settings.cameras.values() for what in camera.recognise}
    for what in sorted(wanted):
        yield _tried("model", what, partial(_load_models, what, settings))
    for name, uplink in settings.uplinks.items():
        for address in uplink.addresses:
            title = f"{name} {address}" if uplink.hosts else name
            yield _tried("uplink", title, partial(_round_trip, uplink, address, settings))


def _said_by_daemon(status: dict[str, Any]) -> Iterator[Outcome]:
    """What the running daemon says of its devices."""
    for device in status["devices"]:
        words = Text("服务报告：{status}", "the daemon says: {status}").with_(status=DEVICE_WORDS[device["status"]])
        yield Outcome(device["kind"], device["name"], device["status"] == "online", words, device["detail"])


def _unknown_to_daemon(status: dict[str, Any], settings: Settings) -> Iterator[Outcome]:
    """Devices of the file that the running daemon does not have: written after its start, or it has just begun."""
    known = {device["name"] for device in status["devices"]}
    for kind, name, _ in devices(settings):
        if name not in known:
            yield Outcome(kind, name, False, _UNKNOWN, _RESTART)


_UNKNOWN = Text("服务尚未启用", "the daemon does not have it yet")
_RESTART = Text(
    "刚启动时稍候再试；改过配置后运行 systemctl restart compound-gateway",
    "just after a start try again in a moment; after a change: systemctl restart compound-gateway",
)


def _tried(kind: str, name: str, attempt: Callable[[], Text]) -> Outcome:
    try:
        return Outcome(kind, name, True, attempt())
    except GatewayError as error:
        return Outcome(kind, name, False, error.message, error.hint)


def _connect(kind: Kind, table: DeviceTable, settings: Settings) -> Any:
    return connector(kind, table, settings.readers)()


def _open_and_close(connect: Callable[[], Any]) -> Text:
    device = connect()
    try:
        return device.describe() if isinstance(device, SelfKnowing) else Text("可以打开", "opens")
    finally:
        device.close()


def _grab(connect: Callable[[], Any]) -> Text:
    """The first frame of a camera."""
    began = time.monotonic()
    camera = connect()
    try:
        while time.monotonic() - began < _FRAME_S:
            frame = camera.read()
            if isinstance(frame, Unreadable):
                none = Text("文件夹可读，但 {name}：{fault}", "the folder can be read, but {name}: {fault}")
                return none.with_(name=on_one_line(frame.source), fault=frame.fault)
            if frame is not None:
                height, width = frame.pixels.shape[:2]
                return Text("收到画面 {w}×{h}，{s:.1f} 秒", "a frame of {w}×{h} after {s:.1f} s").with_(
                    w=width, h=height, s=time.monotonic() - began
                )
    finally:
        camera.close()
    if isinstance(camera, StillCamera):
        return Text("文件夹可读，暂无图片", "the folder can be read; no picture waits")
    raise DeviceLost(Text("{s:.0f} 秒内没有画面", "no frame within {s:.0f} s").with_(s=_FRAME_S))


def _load_models(kind: str, settings: Settings) -> Text:
    from gateway.vision.looks import Recogniser, build
    from gateway.vision.providers import fallbacks

    if kind not in get_args(Recogniser):
        raise Rejected(f"no recogniser {kind}")
    began = time.monotonic()
    build("plate" if kind == "plate" else "face", settings)
    words = Text("模型已载入，{s:.1f} 秒", "the models load in {s:.1f} s").with_(s=time.monotonic() - began)
    for note in fallbacks():
        words = Text("{words}；{note}", "{words}; {note}").with_(words=words, note=note)
    return words


def _round_trip(options: Uplink, address: Address, settings: Settings) -> Text:
    """Connect beside the daemon (another client id), publish one message and wait for its PUBACK."""
    base = f"{options.topic_prefix}/{settings.site.compound_id}/{settings.gateway.id}"
    passing = options.model_copy(update={"session_expiry": 0})  # nothing shall be kept for a check
    link = Link(f"{settings.gateway.id}-check", passing, None, Bell(), address)
    began = time.monotonic()
    link.open()
    try:
        while time.monotonic() - began < _ROUND_TRIP_S:
            link.wait(0.2)
            for news in link.take():
                match news:
                    case Connected():
                        link.publish(f"{base}/reply/{_REQUEST}", _reply(settings), content_type="application/json")
                    case Lost():
                        raise Unreachable(news.reason, hint=news.hint)
                    case Acknowledged(code=code, reason=reason) if code >= 0x80:
                        raise Unreachable(reason, hint=Text("检查平台的权限设置", "check the broker's access list"))
                    case Acknowledged():
                        return Text("平台应答，{ms:.0f} 毫秒", "the broker answers within {ms:.0f} ms").with_(
                            ms=1000 * (time.monotonic() - began)
                        )
    finally:
        link.close()
    raise Unreachable(
        Text("{s:.0f} 秒内无应答", "no answer within {s:.0f} s").with_(s=_ROUND_TRIP_S),
        hint=Text("检查网络与防火墙", "check the network and firewalls"),
    )


def _reply(settings: Settings) -> bytes:
    """To a request that nobody made: every platform ignores it, and none finds its shape wrong."""
    at = local_time(now().time, ZoneInfo(settings.site.timezone))
    return Answer(Code.DONE).body({"request_id": _REQUEST, "command": "ping", "time": at}, settings.site.language)


def _as_line(outcome: Outcome, language: Language) -> str:
    mark = "✔" if outcome.ok else "✘"
    tail = f" → {spoken(outcome.hint, language)}" if str(outcome.hint) else ""
    kind = DEVICE_WORDS[outcome.kind].say(language)
    kind += " " * (8 - cell_len(kind))
    return f"{mark} {kind} {outcome.name:<16} {spoken(outcome.words, language)}{tail}"


def _as_json(outcome: Outcome) -> str:
    return json.dumps(
        {
            "kind": outcome.kind,
            "name": outcome.name,
            "ok": outcome.ok,
            "words": str(outcome.words),
            "hint": str(outcome.hint),
        },
        ensure_ascii=False,
    )
