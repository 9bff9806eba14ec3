"""What spans tables: names that point somewhere, drivers' options, files that must exist.

The rules run on the raw tables, so that a fault in one table does not hide the faults of another.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from gateway.addresses import read_proxy
from gateway.config.certificates import unusable
from gateway.config.face_rules import check_faces
from gateway.config.faults import Complain, Table, did_you_mean, entries, from_pydantic
from gateway.config.output_rules import check_outputs
from gateway.config.port_rules import check_ports
from gateway.config.retention_rules import check_retention
from gateway.errors import Rejected
from gateway.filesystem import network_kind
from gateway.registry import SECTIONS, load_driver
from gateway.settings import Actuator, Camera, DeviceTable, Reader
from gateway.text import Text

_MODELS: dict[str, type[DeviceTable]] = {"readers": Reader, "cameras": Camera, "actuators": Actuator}


def check_rules(table: Table, base: Path, complain: Complain) -> dict[tuple[str, str], Table]:
    """Check everything that one table alone cannot know. Returns each device's options as its driver reads them."""
    options = dict(_driver_options(table, base, complain))
    _code_can_be_one(table, complain)
    _names_point_somewhere(table, complain)
    _names_are_unique(table, complain)
    _checks_are_of_entrances(table, complain)
    check_ports(table, options, complain)
    check_outputs(table, options, complain)
    _data_dir_is_local(table, base, complain)
    _uplink_files(table, base, complain)
    _proxy_keeps_its_secret(table, complain)
    check_retention(table, complain)
    _captures_go_to_known_uplinks(table, complain)
    check_faces(table, base, complain)
    return options


def _driver_options(table: Table, base: Path, complain: Complain) -> Iterator[tuple[tuple[str, str], Table]]:
    for section, model in _MODELS.items():
        for name, entry in entries(table, section):
            driver_name = entry.get("driver")
            if not isinstance(driver_name, str):  # the shape check has said so
                _driver_under_another_name(section, name, set(entry) - set(model.model_fields), complain)
                continue
            try:
                driver = load_driver(SECTIONS[section], driver_name)
            except Rejected as error:
                complain(
                    (section, name, "driver"),
                    Text("{what}。{hint}", "{what}. {hint}").with_(what=error.message, hint=error.hint),
                )
                continue
            shared = set(driver.Options.model_fields)  # a key may be both: `fps` is also the pace of a replay
            own = [key for key in model.model_fields if key != "options" and key not in shared]
            rest = {key: value for key, value in entry.items() if key not in own}
            for key in rest:
                if key.endswith("_file") and isinstance(rest[key], str) and not (base / rest[key]).is_file():
                    complain((section, name, key), _no_file(base / rest[key]))
            try:
                options = driver.Options.model_validate_json(json.dumps(rest, default=str), strict=True)
            except ValidationError as error:
                for where, message in from_pydantic(error, driver.Options, (section, name), own):
                    complain(where, message)
                continue
            given = _anchored(options, base)
            if driver.plays_recording and not Path(given["path"]).exists():
                complain((section, name, "path"), _no_file(given["path"]))
            for key, why in driver.unusable(driver.Options.model_validate(given)):
                complain((section, name, key), why)
            yield (section, name), given


def _driver_under_another_name(section: str, name: str, strange: Iterable[str], complain: Complain) -> None:
    """Which keys are unknown, only the driver could say: but the likeliest of them is the one that names it."""
    for key in difflib.get_close_matches("driver", strange, n=1):
        complain(
            (section, name, key),
            Text("未知的键；{allowed}", "unknown key; {allowed}").with_(allowed=did_you_mean(key, ["driver"])),
        )


def _anchored(options: BaseModel, base: Path) -> Table:
    """The options as given, with relative paths made relative to the file."""
    given = options.model_dump(mode="json", exclude_unset=True)
    for key in given:
        value = getattr(options, key)
        if isinstance(value, Path) or (key == "port" and "://" not in str(value)):
            given[key] = str(base / value)
        elif key == "after" and str(value).startswith(_MOVE):
            given[key] = f"{_MOVE}{base / value.removeprefix(_MOVE)}"
    return given


_MOVE = "move:"  # a path behind a word: where a `folder` camera puts the pictures that are done

# The first two digits of GB/T 2260: the province.
_PROVINCES = {
    *range(11, 16),
    *range(21, 24),
    *range(31, 38),
    *range(41, 47),
    *range(50, 55),
    *range(61, 66),
    71,
    81,
    82,
}


def _code_can_be_one(table: Table, complain: Complain) -> None:
    """Twenty digits are a code that the city assigned (GB/T 28181); a slip in it would follow every event."""
    site = table.get("site")
    code = site.get("compound_id") if isinstance(site, dict) else None
    if isinstance(code, str) and re.fullmatch(r"[0-9]{20}", code) and int(code[:2]) not in _PROVINCES:
        complain(
            ("site", "compound_id"),
            Text(
                "20 位编码须以省级行政区划代码开头（如 42），“{start}”不是；未分配编码时请写小区代号",
                "a code of 20 digits begins with that of a province (42, say), '{start}' is none; "
                "until the city assigns one write a name",
            ).with_(start=code[:2]),
        )


def _names_point_somewhere(table: Table, complain: Complain) -> None:
    points = [name for name, _ in entries(table, "points")]
    actuators = [name for name, _ in entries(table, "actuators")]
    wanted = [
        ((section, name, "point"), entry.get("point"), points)
        for section in ("readers", "cameras")
        for name, entry in entries(table, section)
    ]
    wanted += [
        (("points", name, "actuator"), entry.get("actuator"), actuators) for name, entry in entries(table, "points")
    ]
    for where, name, known in wanted:
        if isinstance(name, str) and name not in known:
            complain(
                where,
                Text("没有名为“{name}”的{what}；{allowed}", "there is no {what} '{name}'; {allowed}").with_(
                    name=name, what=_KIND[str(where[-1])], allowed=did_you_mean(name, known)
                ),
            )


_KIND = {"point": Text("通行点", "point"), "actuator": Text("执行器", "actuator")}


def _names_are_unique(table: Table, complain: Complain) -> None:
    seen: dict[str, str] = {}
    for section in SECTIONS:
        for name, _ in entries(table, section):
            if name in seen:
                complain(
                    (section, name),
                    Text(
                        "名称已被 [{other}.{name}] 使用；设备名称不能重复",
                        "the name is taken by [{other}.{name}]; devices need names of their own",
                    ).with_(other=seen[name], name=name),
                )
            seen.setdefault(name, section)


def _checks_are_of_entrances(table: Table, complain: Complain) -> None:
    """Nobody is held up who leaves."""
    for name, entry in entries(table, "points"):
        if entry.get("check_unknown") is True and entry.get("direction") == "out":
            complain(
                ("points", name, "check_unknown"),
                Text(
                    '只查验进入的人和车；出口（direction = "out"）请去掉此项',
                    'checks are of those who come in: remove it where direction = "out"',
                ),
            )


def _data_dir_is_local(table: Table, base: Path, complain: Complain) -> None:
    gateway = table.get("gateway")
    folder = gateway.get("data_dir") if isinstance(gateway, dict) else None
    kind = network_kind(base / folder) if isinstance(folder, str) else None
    if kind:
        complain(
            ("gateway", "data_dir"),
            Text(
                "位于网络文件系统（{kind}）上，断网即不可用，断电会损坏；请改用本机磁盘",
                "lies on a network file system ({kind}), where a journal cannot be safe: use a disk of this box",
            ).with_(kind=kind),
        )


def _no_file(path: Path | str) -> Text:
    return Text("文件不存在：{path}", "there is no file {path}").with_(path=path)


def _uplink_files(table: Table, base: Path, complain: Complain) -> None:
    for name, entry in entries(table, "uplinks"):
        for key in ("ca_file", "cert_file", "key_file", "password_file", "proxy_password_file"):
            given = entry.get(key)
            if isinstance(given, str) and not (base / given).is_file():
                complain(("uplinks", name, key), _no_file(base / given))
        for key, why in unusable(entry, base):
            complain(
                ("uplinks", name, key),
                Text("证书或密钥无法使用：{why}", "the certificate or its key cannot be used: {why}").with_(why=why),
            )
        pairs = (
            ("cert_file", "key_file"),
            ("key_file", "cert_file"),
            ("password_file", "username"),
            ("proxy_password_file", "proxy"),
        )
        for key, other in pairs:
            if key in entry and other not in entry:
                complain(("uplinks", name, key), Text("还须填写 {other}", "needs {other} as well").with_(other=other))
        if "password_file" in entry and "credential" in entry:
            complain(
                ("uplinks", name, "credential"),
                Text("password_file 与 credential 只能用一个", "give either password_file or credential"),
            )


def _proxy_keeps_its_secret(table: Table, complain: Complain) -> None:
    """The password stands in a file of its own, and is never quoted back."""
    for name, entry in entries(table, "uplinks"):
        try:
            through = read_proxy(str(entry.get("proxy", "")))
        except ValueError:
            continue  # the shape check has said so
        if through.has_password:
            complain(
                ("uplinks", name, "proxy"),
                Text(
                    "密码不要写在地址里，请写入单独的文件并填写 proxy_password_file",
                    "the password does not belong here: put it into a file and name that in proxy_password_file",
                ),
            )
        if "proxy_password_file" in entry and through.username is None:
            complain(
                ("uplinks", name, "proxy"),
                Text("还须填写用户名：{form}", "needs the user as well: {form}").with_(
                    form=f"{through.kind}://user@{through.address}"
                ),
            )


def _captures_go_to_known_uplinks(table: Table, complain: Complain) -> None:
    """Pictures show plates in clear: they go to no platform that must not see those."""
    found = table.get("captures")
    captures: Table = found if isinstance(found, dict) else {}
    uplinks = dict(entries(table, "uplinks"))
    named = captures.get("uplinks")
    for name in named if isinstance(named, list) else ():
        if name not in uplinks:
            words = Text("没有名为“{name}”的平台；{allowed}", "there is no uplink '{name}'; {allowed}")
            complain(("captures", "uplinks"), words.with_(name=name, allowed=did_you_mean(str(name), list(uplinks))))
            continue
        fields = uplinks[name].get("fields")
        if isinstance(fields, dict) and fields.get("plate_no", "clear") != "clear":
            words = Text(
                "平台 {name} 的 plate_no 不是 clear，不能获取显示车牌的图片",
                "uplink {name} may not see plate_no in clear, so no pictures of plates either",
            )
            complain(("captures", "uplinks"), words.with_(name=name))
