"""What is wrong with a file that is no TOML, for somebody who never heard of TOML: what to do about it."""

from __future__ import annotations

import tomllib

from gateway.config.lines import Lines
from gateway.text import Text
from gateway.toml import unquoted

_MOST_MARKS = 12  # told of one line
_FIXES = {  # by how the words of the parser begin
    "Invalid value": Text(
        "等号后的文字须加英文引号；true 和 false 小写，不加引号",
        "words after the = need quotes, true and false stand without",
    ),
    "Expected '=' after a key": Text("键后须写等号 =", "a key is followed by ="),
    "Illegal character": Text(
        "引号没有成对，或有看不见的字符", "a quote is not closed, or an invisible character is here"
    ),
    "Unterminated string": Text("引号没有成对", "a quote is not closed"),
    "Cannot declare": Text(
        "此表已写过；每个表只写一次，名称不可重复", "this table is there already; give it another name"
    ),
    "Cannot overwrite": Text("此键已写过；删去其中一个", "this key is there already; delete one of them"),
    "Duplicate inline table key": Text("此键已写过；删去其中一个", "this key is there already; delete one of them"),
    "Unescaped": Text(r"反斜杠须写作 \\，或改用单引号", r"write \\ for a backslash, or use single quotes"),
    "Unclosed": Text("括号没有成对", "a bracket is not closed"),
    "Nested": Text("层数过多；表和列表最多嵌套 50 层", "too many levels; tables and lists nest 50 deep at most"),
    "Number": Text("数字过长；若是文字须加引号", "the number is too long; put it in quotes if it is text"),
    "Expected newline": Text("一行只写一个键", "one line holds one key"),
    "Expected ']'": Text("表名须写在 [ ] 内", "a table is named in [ ]"),
}


def explain(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, Text]:
    """The line of the slip, and what to say of it."""
    line = Lines.of_decode_error(error, text)
    foreign = {mark for mark in unquoted("".join(text.splitlines()[line - 1 : line])) if not mark.isascii()}
    if foreign:
        message = Text(
            "不是有效的 TOML：此行英文引号之外有 {marks}；标点、空格和数字请改用半角，文字请加英文引号",
            "not valid TOML: outside plain quotes this line has {marks}; type plain marks, blanks and digits "
            '(" = [ ] , #), and put words in plain quotes',
        )
        marks = (mark if mark.isprintable() else f"U+{ord(mark):04X}" for mark in sorted(foreign)[:_MOST_MARKS])
        return line, message.with_(marks=" ".join(marks))
    fix = next((fix for start, fix in _FIXES.items() if str(error).startswith(start)), None)
    if fix:
        return line, Text("{fix}（TOML：{error}）", "{fix} (TOML: {error})").with_(fix=fix, error=error)
    return line, Text("不是有效的 TOML：{error}", "not valid TOML: {error}").with_(error=error)
