"""The configuration file: TOML → `Settings`, checked before any device is touched.

Every fault is found in one run and placed at its line; `check` and the daemon use the same `load`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.config.faults import Fault, from_pydantic, listed
from gateway.config.lines import Lines
from gateway.config.rules import check_rules
from gateway.config.slips import explain
from gateway.errors import ConfigError
from gateway.regular_file import open_regular
from gateway.settings import Settings
from gateway.text import Language, Text
from gateway.toml import read_toml


class ConfigFaults(ConfigError):
    """All faults of one file, in the order of its lines."""

    def __init__(self, faults: Sequence[Fault], language: Language) -> None:
        self.faults = tuple(faults)
        self.language = language
        super().__init__(
            listed(self.faults, language),
            hint=Text("改正后运行 compound-gateway check", "mend them, then run compound-gateway check").say(language),
        )


@dataclass(slots=True)
class _Reading:
    """A file on its way to settings: what was read and what was found wrong so far."""

    path: Path
    table: dict[str, Any] = field(default_factory=dict)
    lines: Lines = field(default_factory=lambda: Lines(""))
    faults: list[Fault] = field(default_factory=list)

    def fault(self, where: tuple[str | int, ...], message: Text) -> None:
        line = self.lines.of(where)
        self.faults.append(Fault(self.path, line, ".".join(str(part) for part in where), message))


def load(path: Path, language: Language = Language.ZH) -> Settings:
    """Read and check a configuration file; relative paths become absolute.

    Raises `ConfigFaults` with every fault, said in the language that the file asks for, else in `language`.
    """
    reading = _Reading(path)
    text = _read_text(reading)
    if text is not None:
        _parse(reading, text)
    settings = _validate(reading) if not reading.faults else None
    if reading.faults or settings is None:
        speak = _language(reading.table, text or "") or language
        raise ConfigFaults(sorted(reading.faults, key=lambda fault: fault.line), speak)
    return settings


def _read_text(reading: _Reading) -> str | None:
    raw = b""
    try:
        with open_regular(reading.path) as file:
            raw = file.read()
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        message = Text("文件不是 UTF-8 编码（可能是 GBK）；请另存为 UTF-8", "the file is not UTF-8; save it as UTF-8")
        reading.faults.append(Fault(reading.path, line, "", message))
    except PermissionError as error:
        message = Text(
            "无法读取配置文件：{error}。以 root 运行（sudo）；网关服务须可读：属组 compound-gateway，权限 640",
            "cannot read the file: {error}. Run as root (sudo); the service needs group compound-gateway and mode 640",
        ).with_(error=error.strerror)
        reading.faults.append(Fault(reading.path, 0, "", message))
    except OSError as error:
        message = Text(
            "无法读取配置文件：{error}。请用 --config 指定文件，或复制 config/gateway.toml 作为起点",
            "cannot read the file: {error}. Name it with --config, or start from a copy of config/gateway.toml",
        ).with_(error=error.strerror)
        reading.faults.append(Fault(reading.path, 0, "", message))
    return None


def _parse(reading: _Reading, text: str) -> None:
    reading.lines = Lines(text)
    try:
        reading.table = read_toml(text)
    except tomllib.TOMLDecodeError as error:
        line, message = explain(error, text)
        reading.faults.append(Fault(reading.path, line, "", message))


def _validate(reading: _Reading) -> Settings | None:
    """Shapes first, then the rules that span tables, on whatever has the right shape."""
    _find_dates(reading, reading.table)
    settings: Settings | None = None
    try:
        settings = Settings.model_validate_json(json.dumps(reading.table, default=str), strict=True)
    except ValidationError as error:
        for where, message in from_pydantic(error, Settings):
            reading.fault(where, message)
    options = check_rules(reading.table, reading.path.resolve().parent, reading.fault)
    if settings is None or reading.faults:
        return None
    return _anchored(settings, options, reading.path.resolve().parent)


def _find_dates(reading: _Reading, value: object, where: tuple[str | int, ...] = ()) -> None:
    """TOML has dates and times. No key takes one, and on the way to `Settings` they would pass for text."""
    if isinstance(value, (date, time)):
        words = Text("“{given}”是日期或时间；应为文字时请加引号", "'{given}' is a date or a time; words need quotes")
        reading.fault(where, words.with_(given=value))
    for key, inner in _inside(value):
        _find_dates(reading, inner, (*where, key))


def _inside(value: object) -> Iterable[tuple[str | int, object]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _anchored(settings: Settings, options: dict[tuple[str, str], dict[str, Any]], base: Path) -> Settings:
    """Make relative paths absolute (relative to the file) and put the drivers' checked options in place."""
    whole = settings.model_dump(mode="json")
    for (kind, name), checked in options.items():
        whole[kind][name]["options"] = checked
    whole["gateway"]["data_dir"] = str(base / settings.gateway.data_dir)
    for uplink in whole["uplinks"].values():
        for key in ("ca_file", "cert_file", "key_file", "password_file", "proxy_password_file"):
            if uplink[key] is not None:
                uplink[key] = str(base / uplink[key])
    return Settings.model_validate_json(json.dumps(whole), strict=True)


def _language(table: dict[str, Any], text: str) -> Language | None:
    """The language the file asks for, as far as it can be read."""
    site = table.get("site")
    wanted = site.get("language") if isinstance(site, dict) else None
    if not table and (found := _WANTED.search(text)):  # a slip elsewhere in the file
        wanted = found[1]
    return Language(wanted) if wanted in list(Language) else None


_WANTED = re.compile(r"""^\s*language\s*=\s*["']?(zh|en)\b""", re.MULTILINE)
