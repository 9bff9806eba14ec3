"""A roster file: CSV (comma, tab or semicolon) or JSON, UTF-8 or GBK, English or Chinese headings.

Rule: nothing is guessed. One run names every fault with its line, its column and its fix.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.roster.cells import COLUMNS, NAMES, STATUS, Fault, Row, in_chinese, read_row, suggestion, write_row
from gateway.text import Language, Text

Form = Literal["csv", "json"]
MAX_BYTES = 64 << 20
_HEADING = {name.lower(): column for column, alias in NAMES.items() for name in (column, alias)}
_NEEDED = ("holder_id", "name", "points")
_MARKS = {",": Text("逗号", "comma"), "\t": Text("制表符", "tab"), ";": Text("分号", "semicolon")}
_EXAMPLE = Text(",".join(COLUMNS.values()), ",".join(COLUMNS))
# A long number made short, and numbers with dashes made a date, on the way through a spreadsheet.
_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_MADE_OVER = re.compile(
    r"\d(\.\d+)?E\+\d{1,3}|\d{4}[/年]\d{1,2}[/月]\d{1,2}日?|\d{1,2}月\d{1,2}日"
    rf"|\d{{1,2}}-{_MONTH}|{_MONTH}-\d{{2}}",
    re.ASCII,
)


@dataclass(slots=True)
class Sheet:
    """What a file says: the rows that could be read, and everything wrong with it. With a fault, no row counts."""

    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, line: int, column: str, message: Text, fix: Text) -> None:
        self.faults.append(Fault(line, column, message, fix))


_Record = tuple[int, dict[str, str]]  # line, cells by column


def read(data: bytes, points: Collection[str] | None = None) -> Sheet:
    """Parse a whole file. `points` are the names a row may use; None: any. Never raises for what a file contains."""
    sheet = Sheet()
    text = _decode(data, sheet)
    if text is None:
        return sheet
    records = _json_records(text, sheet) if text.lstrip()[:1] in ("[", "{") else _csv_records(text, sheet)
    sheet.rows.extend(read_row(line, cells, points, sheet.faults) for line, cells in records)
    if not sheet.rows and not sheet.faults:
        sheet.fault(
            1,
            "",
            Text("文件中没有住户", "the file names no holder"),
            Text("表头之后每行一位住户", "after the heading, one holder a line"),
        )
    return sheet


def from_objects(objects: Sequence[tuple[int, Mapping[str, Any]]], points: Collection[str] | None = None) -> Sheet:
    """Rows given as JSON objects, not in a file, each with its place, which is the "line" of its faults."""
    sheet = Sheet()
    records = ((place, _json_cells(place, entry, sheet)) for place, entry in objects)
    sheet.rows.extend(read_row(place, cells, points, sheet.faults) for place, cells in records)
    return sheet


def write(rows: Sequence[Row], form: Form = "csv", headings: Language = Language.EN) -> str:
    """The file of these rows; `read` gives them back."""
    if form == "json":
        return json.dumps([lists(row) for row in rows], ensure_ascii=False, indent=1) + "\n"
    cells = [write_row(row) for row in rows]
    columns = [*COLUMNS, *([STATUS] if any(STATUS in entry for entry in cells) else [])]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(NAMES[column] if headings is Language.ZH else column for column in columns)
    if headings is Language.ZH:
        cells = [{column: in_chinese(column, value) for column, value in entry.items()} for entry in cells]
    writer.writerows([entry.get(column, "") for column in columns] for entry in cells)
    return out.getvalue()


def lists(row: Row) -> dict[str, Any]:
    """A row as a JSON object: several values are a list, what is not limited is null."""
    many = ("cards", "plates", "points")
    return {
        column: [part for part in value.split(";") if part] if column in many else value or None
        for column, value in write_row(row).items()
    }


def _decode(data: bytes, sheet: Sheet) -> str | None:
    if len(data) > MAX_BYTES:
        message = Text("文件大于 64 MiB", "the file is larger than 64 MiB")
        sheet.fault(1, "", message, Text("分成几个文件导入", "import it in several files"))
        return None
    if not data.strip(b"\xef\xbb\xbf \t\r\n\0"):
        message = Text("文件是空的", "the file is empty")
        sheet.fault(
            1, "", message, Text("第一行写表头：{header}", "begin with the heading: {header}").with_(header=_EXAMPLE)
        )
        return None
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\xff\xfe", b"\xfe\xff")):
        message = Text("这是 Excel 工作簿或 UTF-16 文件，不是 CSV", "this is a workbook or UTF-16, not CSV")
        sheet.fault(
            1, "", message, Text("在 Excel 中另存为“CSV UTF-8”", "save it as 'CSV UTF-8' in the spreadsheet program")
        )
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass  # property offices' spreadsheets write GBK
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = Text("既不是 UTF-8 也不是 GBK", "is neither UTF-8 nor GBK")
        sheet.fault(line, "", message, Text("另存为 UTF-8 编码的 CSV", "save the file as CSV in UTF-8"))
        return None


def _csv_records(text: str, sheet: Sheet) -> Iterator[_Record]:
    head = text.lstrip().partition("\n")[0]
    mark = next((mark for mark in _MARKS if mark in head), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    columns: list[str | None] | None = None
    line = 1
    while True:
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:  # a quote that is never closed: what follows cannot be told apart
            message = Text("引号不配对或单元格过长（{error}）", "a quote is not closed, or a cell too long ({error})")
            sheet.fault(
                line, "", message.with_(error=error), Text("检查这一行的双引号", "look at the quotes of this line")
            )
            return
        if any(cells):
            if columns is None:
                columns = _headings(line, _without_empty_end(cells, 0), sheet)
                if not any(columns):
                    return
            elif len(cells := _without_empty_end(cells, len(columns))) != len(columns):
                _wrong_width(line, len(cells), len(columns), _MARKS[mark], sheet)
            else:
                record = {column: cell for column, cell in zip(columns, cells, strict=True) if column}
                _find_made_over(line, record, sheet)
                yield line, record
        line = reader.line_num + 1


def _find_made_over(line: int, record: dict[str, str], sheet: Sheet) -> None:
    for column in ("holder_id", "room", "cards"):
        if _MADE_OVER.fullmatch(value := record.get(column, "")):
            message = Text("“{value}”被表格软件改写过", "'{value}' is what a spreadsheet made of it").with_(
                value=value[:40]
            )
            fix = Text("把这一列设为“文本”格式，再重新填写", "format the column as text, then type it again")
            sheet.fault(line, column, message, fix)
            if column == "cards":
                record[column] = ""  # one fault is enough


def _without_empty_end(cells: list[str], least: int) -> list[str]:
    """Spreadsheets write cells that were once touched: past the `least` ones, empty cells at the end are none."""
    end = len(cells)
    while end > least and not cells[end - 1]:
        end -= 1
    return cells[:end]


def _headings(line: int, cells: Sequence[str], sheet: Sheet) -> list[str | None]:
    columns = [_HEADING.get(cell.lower()) for cell in cells]
    if not any(columns):
        message = Text("第一行不是表头", "the first line is no heading")
        sheet.fault(line, "", message, Text("第一行写：{header}", "begin with: {header}").with_(header=_EXAMPLE))
        return columns
    for cell, column in zip(cells, columns, strict=True):
        if column is None:
            message = Text("未知的列“{cell}”", "unknown column '{cell}'").with_(cell=cell[:40])
            headings = tuple(NAMES) if cell.isascii() else tuple(NAMES.values())
            sheet.fault(line, "", message, suggestion(cell[:40].lower(), headings))
    for column in NAMES:
        if columns.count(column) > 1:
            message = Text("此列出现两次", "the column is there twice")
            sheet.fault(line, column, message, Text("删去其中一列", "remove one of them"))
        elif column in COLUMNS and column not in columns:
            message = Text("缺少此列", "the column is missing")
            empty = Text("加上这一列，内容可以留空", "add it; its cells may stay empty")
            filled = Text("加上这一列，每行都要填写", "add it, and fill it in on every line")
            sheet.fault(line, column, message, filled if column in _NEEDED else empty)
    return columns


def _wrong_width(line: int, cells: int, columns: int, mark: Text, sheet: Sheet) -> None:
    sheet.fault(
        line,
        "",
        Text("有 {cells} 格，表头有 {columns} 格", "has {cells} cells, the heading {columns}").with_(
            cells=cells, columns=columns
        ),
        Text(
            "补上或删去{mark}；内容中有{mark}时用双引号括起",
            "add or remove {mark}s; put a value that holds a {mark} in quotes",
        ).with_(mark=mark),
    )


def _json_records(text: str, sheet: Sheet) -> Iterator[_Record]:
    """Objects of a list, one by one, because the standard parser does not say on which line an object stands."""
    decoder = json.JSONDecoder(object_pairs_hook=_each_key_once)
    at = len(text) - len(text.lstrip())
    if text[at] != "[":
        message = Text("JSON 必须是住户的列表", "JSON must be a list of holders")
        sheet.fault(1, "", message, Text("用方括号括起：[{…}, {…}]", "put it in brackets: [{…}, {…}]"))
        return
    at, line, counted = at + 1, 1, 0
    expected = "{"  # or the end
    while True:
        at = _past_space(text, at)
        line, counted = line + text.count("\n", counted, at), at
        mark = text[at : at + 1]
        if mark == "]" and not text[at + 1 :].strip():
            return
        if mark == "," and expected == ",":
            at, expected = at + 1, "{"
            continue
        if mark != expected:
            _not_json(line, "expecting an object" if expected == "{" else "expecting , or ]", sheet)
            return
        try:
            entry, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:  # a number of thousands of digits is a plain ValueError
            _not_json(error.lineno if isinstance(error, json.JSONDecodeError) else line, str(error), sheet)
            return
        expected = ","
        yield line, _json_cells(line, entry, sheet)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises `ValueError` for a key that is there twice, of which the standard parser would keep the last."""
    entry = dict(pairs)
    if len(entry) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"the key '{twice[:40]}' is there twice")
    return entry


def _past_space(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _not_json(line: int, why: str, sheet: Sheet) -> None:
    message = Text("不是有效的 JSON：{why}", "is not valid JSON: {why}").with_(why=why)
    sheet.fault(line, "", message, Text("检查引号、逗号和括号", "look at quotes, commas and brackets"))


def _json_cells(line: int, entry: Mapping[str, Any], sheet: Sheet) -> dict[str, str]:
    cells: dict[str, str] = {}
    for key, value in entry.items():
        column = _HEADING.get(key.strip().lower())
        if column is None and key.strip().lower() == "ref":
            continue  # `roster list --json` adds it; it is made from the id and the box's key
        if column is None or column in cells:
            message = Text("未知或重复的键“{key}”", "unknown or repeated key '{key}'").with_(key=key[:40])
            sheet.fault(line, "", message, suggestion(key[:40].lower(), tuple(NAMES)))
            continue
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(part, str) for part in values):
            message = Text("值必须是文字", "must be text")
            sheet.fault(
                line,
                column,
                message,
                Text("用引号括起，或写成文字的列表", "put it in quotes, or write a list of texts"),
            )
            continue
        cells[column] = ";".join(part.strip() for part in values)
    for column in _NEEDED:
        if column not in cells:
            sheet.fault(line, column, Text("缺少此键", "is missing"), Text("补上这个键", "add the key"))
    return cells
