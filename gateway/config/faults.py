"""One fault of a configuration file, in words: which key, what is wrong, what is allowed, what was perhaps meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.plate_rules import PROVINCES
from gateway.text import Language, Text

_FORMS = {  # what the patterns of the settings and of the drivers here mean
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$": Text(
        " 1–32 个字母、数字、- 或 _，以字母或数字开头（中文名称写在 name 中）",
        "1 to 32 letters, digits, - or _, first a letter or digit (what people read goes into `name`)",
    ),
    r"^[a-z0-9_-]{1,32}$": Text(
        " 1–32 个小写字母、数字、- 或 _，或城市分配的 20 位编码",
        "1 to 32 small letters, digits, - or _, or the 20-digit code that the city assigned",
    ),
    r"^[A-Za-z0-9_-]{1,32}$": Text(" 1–32 个字母、数字、- 或 _", "1 to 32 letters, digits, - or _"),
    r"^[0-9]{2}$": Text("两位半角数字", "two plain digits"),
    f"^[{PROVINCES}]$": Text("一个省份简称，如 鄂", "the sign of a province, such as 鄂"),
    r"^[^#+$\s/]([^#+\s]*[^#+\s/])?$": Text(
        "不含 #、+ 和空格的主题，不以 / 或 $ 开头，不以 / 结尾",
        "a topic without #, + or spaces that begins with no / or $ and ends with no /",
    ),
    r"^rtsps?://[^\s/]+(/\S*)?$": Text(" rtsp://主机/路径", "rtsp://HOST/PATH"),
    r"^https?://[^\s/]+(/\S*)?$": Text(" http://主机/路径", "http://HOST/PATH"),
    r"^/dev/\S+$": Text("设备路径，如 /dev/video0", "the path of a device, such as /dev/video0"),
    r"^(keep|delete|move:.+)$": Text(" keep、delete 或 move:文件夹", "keep, delete or move:FOLDER"),
}

Where = tuple[str | int, ...]
Table = dict[str, Any]
Complain = Callable[[Where, Text], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """`line` counts from 1; 0 means the file as a whole."""

    path: Path
    line: int
    key: str
    message: Text

    def say(self, language: Language) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return ": ".join(part for part in (place, self.key, self.message.say(language)) if part)


def listed(faults: Sequence[Fault], language: Language) -> str:
    """Every fault on a line of its own."""
    return "\n".join(fault.say(language) for fault in faults)


def entries(table: Table, section: str) -> Iterator[tuple[str, Table]]:
    """The named tables of a section, as far as they are tables."""
    found = table.get(section)
    if isinstance(found, dict):
        yield from ((name, entry) for name, entry in found.items() if isinstance(entry, dict))


def did_you_mean(word: str, allowed: Iterable[str]) -> Text:
    """The allowed words, and the likeliest one."""
    names = sorted(allowed)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return Text("可用：{names}。是不是“{near}”？", "allowed: {names}. Did you mean '{near}'?").with_(
            names=", ".join(names), near=near[0]
        )
    return Text("可用：{names}", "allowed: {names}").with_(names=", ".join(names) or "–")


def from_pydantic(
    error: ValidationError, model: type[BaseModel], prefix: Where = (), beside: Iterable[str] = ()
) -> Iterator[tuple[Where, Text]]:
    """Say each of pydantic's complaints in our words.

    `prefix` is where the model stands in the file; `beside` are further keys that are allowed there.
    """
    for detail in error.errors():
        where = tuple(part for part in detail["loc"] if part != "[key]")
        yield (*prefix, *where), _message(detail, model, where, beside)


def _message(detail: ErrorDetails, model: type[BaseModel], where: Where, beside: Iterable[str]) -> Text:
    context = detail.get("ctx", {})
    given = detail.get("input")
    if isinstance(given, str):
        given = _LOGIN.sub("***@", given)
    match detail["type"]:
        case "extra_forbidden":
            return Text("未知的键；{allowed}", "unknown key; {allowed}").with_(
                allowed=did_you_mean(str(where[-1]), [*_keys(model, where[:-1]), *beside])
            )
        case "missing":
            return Text("缺少此键，必须填写", "is missing; it must be given")
        case "literal_error" | "enum":
            expected = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")
            expected = re.sub(r"<\w+\.\w+: (\w+)>", r"\1", expected)  # a value of an enum
            if not isinstance(given, str) and str(given) in expected.split(", "):  # 26 for "26"
                return _wrong_type("string", given, detail["msg"])
            return Text("“{given}”不可用；{allowed}", "'{given}' is not allowed; {allowed}").with_(
                given=given, allowed=did_you_mean(str(given), expected.split(", "))
            )
        case "string_pattern_mismatch":
            pattern = context.get("pattern", "")
            return Text("“{given}”不可用：应为{form}", "'{given}' will not do: it must be {form}").with_(
                given=given, form=_FORMS.get(pattern, pattern)
            )
        case "value_error":
            (why, *_) = context["error"].args or (detail["msg"],)
            if isinstance(given, dict):  # of several keys together
                return Text("{why}", "{why}").with_(why=why)
            return Text("“{given}”无效：{why}", "'{given}' is not valid: {why}").with_(given=given, why=why)
        case "string_too_short":
            return Text("不能为空", "must not be empty")
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            (bound,) = (str(value) for value in context.values())
            sign = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}
            return Text(
                "{given} 超出范围，须 {sign} {bound}", "{given} is out of range, it must be {sign} {bound}"
            ).with_(given=given, sign=sign[detail["type"]], bound=bound)
    return _wrong_type(detail["type"], given, detail["msg"])


_LOGIN = re.compile(r"(?<=://)\S*@")  # in an address: what is wrong with it is said also in logs
_TYPES = {
    "string": Text("文字（加引号）", "text (in quotes)"),
    "int": Text("整数（不加引号）", "a whole number (no quotes)"),
    "float": Text("数字（不加引号）", "a number (no quotes)"),
    "bool": Text("true 或 false（不加引号）", "true or false (no quotes)"),
    "list": Text("列表 [ … ]", "a list [ … ]"),
    "tuple": Text("列表 [ … ]", "a list [ … ]"),
    "path": Text("文件路径（加引号）", "a path (in quotes)"),
    "dict": Text("一个表", "a table"),
    "model": Text("一个表", "a table"),
}


def _wrong_type(kind: str, given: object, said: str) -> Text:
    expected = _TYPES.get(kind.split("_")[0])
    if expected is None:
        return Text("“{given}”无效：{said}", "'{given}' is not valid: {said}").with_(given=given, said=said)
    return Text("“{given}”类型不对，应为{expected}", "'{given}' has the wrong type, it must be {expected}").with_(
        given=given, expected=expected
    )


def _keys(model: type[BaseModel], where: Where) -> list[str]:
    """The keys allowed in the table at `where` of a model, following tables and named entries."""
    current: Any = model
    for part in where:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = _table_type(field.annotation) if field else None
        elif get_origin(current) is dict:
            current = _table_type(get_args(current)[1])
        if current is None:
            return []
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [name for name in current.model_fields if name != "options"]
    if get_origin(current) is dict:
        return [str(word) for word in get_args(get_args(current)[0])]
    return []


def _table_type(annotation: Any) -> Any:
    """The table inside `Table | None`, a dict of tables as it is, None for plain values."""
    if get_origin(annotation) is dict:
        return annotation
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel) and not issubclass(candidate, Enum):
            return candidate
    return None
