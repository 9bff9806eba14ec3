"""One row of a roster file: its columns, what each cell may say, and the fault that is named where it does not.

Rule: a cell never decides alone. Every fault is collected with its line, its column and its fix; the caller then takes
all rows or none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches

from gateway.credentials import Credential, parse_credential
from gateway.errors import Rejected
from gateway.plate_rules import classify, clean
from gateway.text import Language, Text

COLUMNS: Mapping[str, str] = {
    "holder_id": "住户编号",
    "name": "姓名",
    "kind": "类别",
    "category": "身份",
    "room": "房号",
    "cards": "卡号",
    "plates": "车牌",
    "points": "通行点",
    "valid_from": "有效期起",
    "valid_until": "有效期止",
}
STATUS = "status"  # optional column: a lost card or a blocked holder
OPTIONAL: Mapping[str, str] = {STATUS: "状态"}
NAMES: Mapping[str, str] = {**COLUMNS, **OPTIONAL}
ACTIVE = "active"

_WORDS = {
    "kind": {
        "": "resident",
        "住户": "resident",
        "居民": "resident",
        "访客": "visitor",
        "员工": "staff",
        "物业": "staff",
    },
    "category": {"业主": "owner", "租户": "tenant", "租客": "tenant", "家属": "family"},
    STATUS: {"": ACTIVE, "正常": ACTIVE, "挂失": "lost", "停用": "blocked"},
}
_CHINESE = {column: {word: zh for zh, word in reversed(words.items()) if zh} for column, words in _WORDS.items()}
_STATUSES = (ACTIVE, "lost", "blocked")
_MOST_VALUES = 64  # in one cell
_LONGEST = 64  # characters of a name, a room, an id
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Row:
    """One holder as a roster file writes it, every cell checked. `line` is where it stood."""

    holder_id: str
    name: str
    kind: str
    category: str
    room: str
    cards: tuple[Credential, ...]
    plates: tuple[str, ...]  # cleaned: no separators
    points: frozenset[str] | None  # None: every point
    valid_from: date | None
    valid_until: date | None
    status: str = ACTIVE
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one place of the file, and how to mend it. `line` counts from 1; `column` may be empty."""

    line: int
    column: str
    message: Text
    fix: Text

    def say(self, language: Language) -> str:
        """Where, what and the fix. A row that came from no file has no line."""
        parts = Text("{where}{message}。改法：{fix}", "{where}{message}. Fix: {fix}")
        return parts.with_(where=self._where(), message=self.message, fix=self.fix).say(language)

    def _where(self) -> Text:
        line = (f"第 {self.line} 行", f"line {self.line}") if self.line else ("", "")
        column = (f"{NAMES[self.column]} {self.column}", self.column) if self.column else ("", "")
        pairs = zip(("，", ", "), zip(line, column, strict=True), strict=True)
        zh, en = (comma.join(part for part in pair if part) for comma, pair in pairs)
        return Text(f"{zh}：" if zh else "", f"{en}: " if en else "")


Complain = Callable[[str, Text, Text], None]  # column, message, fix


def read_row(line: int, cells: Mapping[str, str], points: Collection[str] | None, faults: list[Fault]) -> Row:
    """Check the cells of one row; `cells` holds the columns that the file has. Adds what is wrong to `faults`.

    `points` are the names that the configuration knows; None where nobody can say.
    """

    def complain(column: str, message: Text, fix: Text) -> None:
        faults.append(Fault(line, column, message, fix))

    row = Row(
        holder_id=_holder_id(cells, complain),
        name=_text(cells, "name", complain, needed=True),
        kind=_text(cells, "kind", complain),
        category=_text(cells, "category", complain),
        room=_text(cells, "room", complain),
        cards=_cards(cells, complain),
        plates=_plates(cells, complain),
        points=_points(cells, points, complain),
        valid_from=_date(cells, "valid_from", complain),
        valid_until=_date(cells, "valid_until", complain),
        status=_status(cells, complain),
        line=line,
    )
    if row.valid_from and row.valid_until and row.valid_from > row.valid_until:
        complain(
            "valid_until",
            Text("有效期止早于有效期起 {start}", "ends before it begins on {start}").with_(start=row.valid_from),
            Text("改为 {start} 或之后的日期", "write {start} or a later day").with_(start=row.valid_from),
        )
    return row


def write_row(row: Row) -> dict[str, str]:
    """The cells of a row, in the words of the file; `status` only where it is not active."""
    cells = {
        "holder_id": row.holder_id,
        "name": row.name,
        "kind": row.kind,
        "category": row.category,
        "room": row.room,
        "cards": ";".join(card.written() for card in row.cards),
        "plates": ";".join(row.plates),
        "points": "*" if row.points is None else ";".join(sorted(row.points)),
        "valid_from": row.valid_from.isoformat() if row.valid_from else "",
        "valid_until": row.valid_until.isoformat() if row.valid_until else "",
    }
    return cells if row.status == ACTIVE else {**cells, STATUS: row.status}


def in_chinese(column: str, value: str) -> str:
    """The word of a cell as a Chinese file writes it; `read_row` knows both."""
    return _CHINESE.get(column, {}).get(value, value)


def suggestion(word: str, allowed: Collection[str]) -> Text:
    """The allowed words, the likeliest first."""
    near = get_close_matches(word, sorted(allowed), n=1, cutoff=0.5)
    if near:
        return Text("是不是“{near}”？可用：{names}", "did you mean '{near}'? Allowed: {names}").with_(
            near=near[0], names=", ".join(sorted(allowed))
        )
    return Text("可用：{names}", "allowed: {names}").with_(names=", ".join(sorted(allowed)) or "–")


def _holder_id(cells: Mapping[str, str], complain: Complain) -> str:
    value = cells.get("holder_id")
    if value is None:
        return ""
    if not value:
        complain(
            "holder_id",
            Text("住户编号为空", "is empty"),
            Text("填写唯一编号，例如 r-0502", "give a unique id, e.g. r-0502"),
        )
    elif len(value) > _LONGEST or re.search(r"^[-=+@]|[\s;,\"']", value) or not value.isprintable():
        complain(
            "holder_id",
            Text("住户编号“{value}”不可用", "'{value}' cannot be an id").with_(value=value[:_LONGEST]),
            Text(
                "不超过 64 个字符，不含空格、逗号、分号和引号，不以 - = + @ 开头",
                "up to 64 characters, no space , ; or quotes, no leading - = + @",
            ),
        )
    return value


def _text(cells: Mapping[str, str], column: str, complain: Complain, *, needed: bool = False) -> str:
    value = cells.get(column)
    if value is None:
        return _WORDS.get(column, {}).get("", "")
    if needed and not value:
        complain(column, Text("不能为空", "is empty"), Text("填写{heading}", "fill it in").with_(heading=NAMES[column]))
    elif len(value) > _LONGEST or not value.isprintable() or value.startswith(("=", "+", "@")):
        # A leading = + @ would be a formula for the next person who opens the exported file in a spreadsheet.
        complain(
            column,
            Text(
                "内容过长，或含控制字符，或以 = + @ 开头", "is too long, holds control characters or begins with = + @"
            ),
            Text("改为不超过 64 个字符的普通文字", "write up to 64 plain characters"),
        )
    return _WORDS.get(column, {}).get(value, value)


def _status(cells: Mapping[str, str], complain: Complain) -> str:
    value = cells.get(STATUS, "")
    word = _WORDS[STATUS].get(value, value)
    if word not in _STATUSES:
        complain(
            STATUS,
            Text("未知状态“{value}”", "unknown status '{value}'").with_(value=value),
            suggestion(word, _STATUSES if value.isascii() else tuple(_CHINESE[STATUS].values())),
        )
    return word


def _cards(cells: Mapping[str, str], complain: Complain) -> tuple[Credential, ...]:
    cards: dict[Credential, None] = {}
    for written in _values(cells, "cards", complain):
        try:
            cards[parse_credential(written)] = None
        except Rejected as error:
            hint = error.hint if isinstance(error.hint, Text) else Text(error.hint, error.hint)
            message = error.message if isinstance(error.message, Text) else Text(error.message, error.message)
            complain("cards", message, hint)
    return tuple(cards)


def _plates(cells: Mapping[str, str], complain: Complain) -> tuple[str, ...]:
    plates: dict[str, None] = {}
    for written in _values(cells, "plates", complain):
        number = clean(written)
        if classify(number) is None:
            complain(
                "plates",
                Text("车牌“{plate}”不是有效的车牌", "'{plate}' fits no class of plates").with_(plate=written[:20]),
                _mended(number),
            )
        plates[number] = None
    return tuple(plates)


def _mended(number: str) -> Text:
    """The usual slip is a letter O or I in the serial, where only the digits 0 and 1 exist."""
    mended = number[:2] + number[2:].replace("O", "0").replace("I", "1")
    if mended != number and classify(mended) is not None:
        return Text(
            "序号中没有字母 O 和 I，是不是“{plate}”？", "serials hold no letters O and I: did you mean '{plate}'?"
        ).with_(plate=mended)
    return Text("例如 鄂J12345、鄂AD12345（新能源）、鄂A1234挂", "e.g. 鄂J12345, 鄂AD12345 (new energy), 鄂A1234挂")


def _points(cells: Mapping[str, str], known: Collection[str] | None, complain: Complain) -> frozenset[str] | None:
    if cells.get("points") is None:
        return frozenset()
    names = _values(cells, "points", complain)
    if names == ["*"]:
        return None
    if not names or "*" in names:
        complain(
            "points",
            Text("通行点为空，或 * 与名称混用", "is empty, or mixes * with names"),
            Text("填写 *（全部）或以 ; 分隔的通行点名称", "write * for every point, or names separated by ;"),
        )
    for name in names:
        if known is not None and name != "*" and name not in known:
            message = Text("未知的通行点“{name}”", "unknown point '{name}'").with_(name=name[:_LONGEST])
            complain("points", message, suggestion(name[:_LONGEST], known))
    return frozenset(names)


def _date(cells: Mapping[str, str], column: str, complain: Complain) -> date | None:
    value = cells.get(column, "")
    if not value:
        return None
    found = _DATE.fullmatch(unicodedata.normalize("NFKC", value))
    try:
        if found:
            return date(*(int(part) for part in found.groups()))
    except ValueError:
        pass  # the 31st of a short month is said like any other wrong date
    complain(
        column,
        Text("“{value}”不是日期", "'{value}' is not a date").with_(value=value[:20]),
        Text("写作 2026-01-31；不限则留空", "write it as 2026-01-31, or leave it empty for no limit"),
    )
    return None


def _values(cells: Mapping[str, str], column: str, complain: Complain) -> list[str]:
    parts = re.split("[;、]", unicodedata.normalize("NFKC", cells.get(column, "")))  # wide signs, as keyboards write
    values = [value for part in parts if (value := part.strip())]
    if len(values) > _MOST_VALUES:
        complain(
            column,
            Text("一格中多于 {most} 个值", "more than {most} values in one cell").with_(most=_MOST_VALUES),
            Text("分给几个住户编号", "share them among several holders"),
        )
        return values[:_MOST_VALUES]
    return values
