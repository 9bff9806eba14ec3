"""An event in human words, for staff at a terminal: one short line in Chinese or English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.text import Text, on_one_line

_REASONS = {
    "ok": Text("准许", "allowed"),
    "not_required": Text("无需许可", "no permission needed"),
    "unknown": Text("未登记", "not in the roster"),
    "expired": Text("已过期", "expired"),
    "not_yet": Text("尚未生效", "not valid yet"),
    "no_right": Text("无此通行点权限", "no right here"),
    "lost": Text("已挂失", "reported lost"),
    "blocked": Text("已停用", "blocked"),
    "uncertain": Text("无法确定是谁", "uncertain whose"),
    "low_assurance": Text("仅作佐证，不开门", "evidence only, opens nothing"),
}

_CAUSES = {  # of a loss
    "retention": Text("已到期", "they were too old"),
    "budget": Text("超出该类别的上限", "their class had used its share of the space"),
    "space": Text("磁盘空间不足", "the disk was short of space"),
    "damage": Text("磁盘损坏", "the disk damaged them"),
    "overflow": Text("长时间无法写入磁盘", "the disk took none for too long"),
    "refused": Text("内容不可保存", "what they held may not be kept"),
}

_ANSWERS = {  # to a command
    "done": Text("已执行", "carried out"),
    "unknown_outcome": Text("被中断，结果不明", "interrupted, with an unknown outcome"),
}
_NOT_DONE = Text("未执行（{code}）", "not carried out ({code})")

_STATES = {
    "raised": Text("报警", "raised"),
    "updated": Text("有变化", "changed"),
    "cleared": Text("已恢复", "over"),
}

_SENTENCES = {
    "access.granted": Text("{place}：刷卡放行，{who}", "{place}: card granted, {who}"),
    "access.denied": Text("{place}：刷卡未放行，{reason}", "{place}: card denied, {reason}"),
    "access.recognised": Text("{place}：识别到人脸，{who}（{reason}）", "{place}: face recognised, {who} ({reason})"),
    "vehicle.passed": Text("{place}：车辆放行 {plate}，{reason}", "{place}: vehicle passed {plate}, {reason}"),
    "vehicle.denied": Text("{place}：车辆未放行 {plate}，{reason}", "{place}: vehicle denied {plate}, {reason}"),
    "vehicle.uncertain": Text(
        "{place}：车辆未放行，车牌看不清，可能是 {plate}", "{place}: vehicle denied, plate uncertain, perhaps {plate}"
    ),
    "vehicle.no_plate": Text("{place}：车辆未放行，没有可读的车牌", "{place}: vehicle denied, no readable plate"),
    "access.remote_open": Text("{place}：平台远程开门", "{place}: opened by a command of the platform"),
    "vehicle.manual_release": Text("{place}：平台远程抬杆", "{place}: barrier raised by a command of the platform"),
    "verify.match": Text("{place}：另一证据与之相符", "{place}: a second evidence agrees"),
    "verify.mismatch": Text(
        "{place}：人脸与所刷的卡不是同一人，持卡人 {who}，请核实",
        "{place}: somebody else's face with the card of {who}; look into it",
    ),
    "check.required": Text("{place}：请查验来人，{reason}", "{place}: look who is there, card {reason}"),
    "check.result": Text("{place}：查验结束，{outcome}，{how}", "{place}: the check has ended, {outcome}, {how}"),
    "device.online": Text("设备 {device} 上线", "device {device} is online"),
    "device.offline": Text("设备 {device} 离线：{detail}", "device {device} is offline: {detail}"),
    "device.fault": Text("设备 {device} 故障：{detail}", "device {device} has a fault: {detail}"),
    "audit.face_enrolled": Text("已登记人脸：{ref}", "a face was enrolled: {ref}"),
    "audit.face_erased": Text("已删除人脸：{ref}", "a face was erased: {ref}"),
    "audit.roster_changed": Text(
        "{by} 在网关上更改了名册：新增 {added}，更新 {updated}，删除 {removed}",
        "the roster was changed at the box by {by}: added {added}, updated {updated}, removed {removed}",
    ),
    "audit.check_answered": Text(
        "{by} 在网关上登记查验结果：{outcome}", "{by} wrote down at the box how a check ended: {outcome}"
    ),
    "audit.checkpoint": Text(
        "{count} 条到期记录已删除，校验链由此继续",
        "{count} rows past their age were deleted; the chain goes on from here",
    ),
    "audit.clock_set": Text(
        "时钟已校准，更正了 {count} 个事件的时间", "the clock was set; {count} events got their true time"
    ),
    "audit.command": Text("平台指令 {command}：{answer}", "command {command} of the platform: {answer}"),
    "alarm.credential_attack": Text(
        "{place}：短时间内 {tries} 次刷未登记的卡", "{place}: {tries} unknown cards in a short time"
    ),
    "alarm.journal_damaged": Text("事件库损坏，已修复并继续", "the journal was damaged; it was mended and goes on"),
    "alarm.journal_unwritable": Text(
        "事件曾无法保存，现已恢复", "events could not be kept for a while; they are again"
    ),
    "alarm.storage_low": Text("磁盘空间不足：{state}", "the disk runs short of space: {state}"),
    "alarm.clock_drift": Text(
        "时钟偏差超过 5 秒（{offset_s} 秒）：{state}", "the clock was more than 5 s wrong ({offset_s} s): {state}"
    ),
    "loss": Text("有 {count} 个事件未能保留：{cause}", "{count} events could not be kept: {cause}"),
}
_OUTCOMES = {  # of a check
    "admitted": Text("已放行", "let in"),
    "refused": Text("未放行", "turned away"),
    "unanswered": Text("无人处理", "nobody answered"),
}
_HOW = {
    "command": Text("平台远程打开", "opened by a command of the platform"),
    "card": Text("物业人员刷卡打开", "opened by a card of staff"),
    "operator": Text("由 {operator} 登记", "written down by {operator}"),
    "time": Text("已超时", "its time is up"),
    "newer": Text("等候过多", "too many waited"),
    "stop": Text("网关停止", "the gateway stopped"),
}
_CAR_CHECKS = {  # by what is known of its plate
    "plate_no": Text("{place}：请查验车辆 {plate}，{reason}", "{place}: look at the car {plate}, {reason}"),
    "candidate": Text(
        "{place}：请查验车辆，车牌看不清，可能是 {plate}", "{place}: look at the car, plate uncertain, perhaps {plate}"
    ),
}
_UNREAD_CAR_CHECK = Text("{place}：请查验车辆，没有可读的车牌", "{place}: look at the car, no readable plate")
_FACE_GRANTED = Text("{place}：人脸放行，{who}", "{place}: face granted, {who}")
_WHOSE = Text("{said}，{who}", "{said}, {who}")
_SHUT = {  # said of what was allowed where no order to open went out
    "access.granted": Text("{said}；门未打开", "{said}; the door was not opened"),
    "vehicle.passed": Text("{said}；未抬杆", "{said}; the barrier was not raised"),
}


def short_name(cloud_type: str) -> str:
    """`compound.access.granted.v1` → `access.granted`."""
    return cloud_type.removeprefix("compound.").rpartition(".v")[0] or cloud_type


def _sentence(name: str, data: Mapping[str, Any]) -> Text | None:
    if name == "access.granted" and data.get("method") == "face":
        return _FACE_GRANTED
    if name == "check.required" and data.get("method") == "plate":
        return next((words for key, words in _CAR_CHECKS.items() if data.get(key)), _UNREAD_CAR_CHECK)
    return _SENTENCES.get(name) or _SENTENCES.get(name.partition(".")[0])


def _detail(data: Mapping[str, Any]) -> str:
    """What is wrong, and with which of a camera's pictures."""
    named = [str(data[key]) for key in ("source_file", "detail") if data.get(key)]
    return on_one_line(": ".join(named)) or "?"


def _how(data: Mapping[str, Any]) -> Text | str:
    """What ended a check."""
    how = _HOW.get(str(data.get("by")))
    return how.with_(operator=data.get("operator", "?")) if how else "?"


DEVICE_WORDS = {
    "reader": Text("读卡器", "reader"),
    "camera": Text("摄像机", "camera"),
    "actuator": Text("执行器", "actuator"),
    "model": Text("模型", "model"),
    "uplink": Text("平台", "uplink"),
    "online": Text("在线", "online"),
    "offline": Text("离线", "offline"),
    "fault": Text("故障", "fault"),
    "plate": Text("车牌", "plates"),
    "face": Text("人脸", "faces"),
}


def describe(name: str, subject: str, data: Mapping[str, Any], points: Mapping[str, str] | None = None) -> Text:
    """Say what happened. `name` is e.g. `access.granted`; an event without a sentence is named as it is.

    `points` are the names that people have for points.
    """
    holder = data.get("holder")
    holder = holder if isinstance(holder, Mapping) else {}
    template = _sentence(name, data)
    if template is None:
        return Text("{subject}：{name}", "{subject}: {name}").with_(subject=subject, name=name)
    reason, cause, code = (str(data.get(key, "?")) for key in ("reason", "cause", "code"))
    whose = holder.get("room") or holder.get("id")
    point = data.get("point") or subject
    said = template.with_(
        place=(points or {}).get(point, point),
        who=whose or Text("已登记", "in the roster"),
        ref=holder.get("ref", "?"),
        reason=_REASONS.get(reason, reason),
        plate=data.get("plate_no") or data.get("candidate") or "?",
        device=data.get("device") or subject,
        detail=_detail(data),
        count=data.get("count", "?"),
        cause=_CAUSES.get(cause, cause),
        tries=data.get("tries", "?"),
        command=data.get("command", "?"),
        answer=_ANSWERS.get(code, _NOT_DONE.with_(code=code)),
        state=_STATES.get(str(data.get("state")), str(data.get("state", "?"))),
        offset_s=data.get("offset_s", "?"),
        outcome=_OUTCOMES.get(str(data.get("outcome")), "?"),
        how=_how(data),
        **{key: data.get(key, "?") for key in ("by", "added", "updated", "removed")},
    )
    if name in _SHUT and data.get("opened") is False:
        return _SHUT[name].with_(said=said)
    if whose and name.endswith(".denied"):
        return _WHOSE.with_(said=said, who=whose)
    return said
