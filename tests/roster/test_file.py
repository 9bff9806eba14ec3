"""Roster files as property offices write them: encodings, headings, slips of every kind, each named at its place."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials import parse_credential
from gateway.roster.cells import Row
from gateway.roster.file import Sheet, read, write
from gateway.text import Language

EN = "holder_id,name,kind,category,room,cards,plates,points,valid_from,valid_until"
ZH = "住户编号,姓名,类别,身份,房号,卡号,车牌,通行点,有效期起,有效期止"
LINE = "r-0502,张三,resident,owner,3-1-0502,em4100:62E3086CED;w26:8-27885,鄂J12345,*,2026-01-01,2027-12-31"
ROW = Row(
    "r-0502",
    "张三",
    "resident",
    "owner",
    "3-1-0502",
    (parse_credential("em4100:62E3086CED"), parse_credential("w26:8-27885")),
    ("鄂J12345",),
    None,
    date(2026, 1, 1),
    date(2027, 12, 31),
)
POINTS = ("east-door", "gate")


def one(cells: str, head: str = EN) -> Sheet:
    return read(f"{head}\n{cells}\n".encode(), POINTS)


@pytest.mark.parametrize("head", [EN, ZH])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_contracts_example_in_every_writing(head: str, encoding: str, end: str) -> None:
    sheet = read(f"{head}{end}{LINE}{end}".encode(encoding), POINTS)
    assert (sheet.faults, sheet.rows) == ([], [ROW])
    assert sheet.rows[0].line == 2


def test_tabs_columns_in_another_order_blank_lines_and_wide_signs() -> None:
    head = "\t".join(reversed(ZH.split(",")))
    line = "\t".join(reversed(LINE.replace(";", "；").replace("2026-01-01", "2026/1/1").split(",")))
    sheet = read(f"\r\n{head}\r\n\r\n{line}\r\n\t\t\t\t\t\t\t\t\t\r\n".encode("gbk"), POINTS)
    assert (sheet.faults, sheet.rows) == ([], [ROW])
    assert sheet.rows[0].line == 4


def test_semicolons_between_cells_as_some_spreadsheets_write_them() -> None:
    cells = [f'"{cell}"' if ";" in cell else cell for cell in LINE.split(",")]
    sheet = one(";".join(cells), EN.replace(",", ";"))
    assert (sheet.faults, sheet.rows) == ([], [ROW])
    (fault,) = one(LINE.replace(",", ";"), EN.replace(",", ";")).faults  # two cards without quotes are two cells
    assert "semicolon" in fault.fix.say(Language.EN)


def test_what_a_chinese_keyboard_writes_is_the_same() -> None:
    wide = LINE.replace(";", "、").replace("2026-01-01", "２０２６-０１-０１").replace(",*,", ",＊,")
    assert (one(wide).faults, one(wide).rows) == ([], [ROW])


@pytest.mark.parametrize(("head", "cells"), [(EN, f"{LINE},,,"), (f"{EN},,,", f"{LINE},,,"), (f"{EN},,", LINE)])
def test_empty_cells_at_the_end_are_none_at_all(head: str, cells: str) -> None:
    sheet = one(cells, head)
    assert (sheet.faults, sheet.rows) == ([], [ROW])


@pytest.mark.parametrize(("head", "cells"), [(EN, f"{LINE},,x"), (f"{EN},,", f"{LINE},x,"), (f"{EN},,", LINE[:-11])])
def test_no_cell_outside_the_heading_is_passed_over(head: str, cells: str) -> None:
    assert [fault.line for fault in one(cells, head).faults] == [2]


def test_empty_cells_are_no_card_no_plate_no_limit() -> None:
    sheet = one("r-1,李四,,,,,,gate;east-door,,")
    assert not sheet.faults
    row = sheet.rows[0]
    assert (row.kind, row.cards, row.plates, row.valid_from, row.valid_until) == ("resident", (), (), None, None)
    assert row.points == {"gate", "east-door"}


SLIPS = [  # cells, column, a part of the message, a part of the fix
    (",李四,,,,,,*,,", "holder_id", "empty", "r-0502"),
    ("r 1,李四,,,,,,*,,", "holder_id", "r 1", "no space"),
    ("--help,李四,,,,,,*,,", "holder_id", "--help", "leading"),
    ("=HYPERLINK(A1),李四,,,,,,*,,", "holder_id", "=HYPERLINK", "leading"),  # in an exported file it would be a formula
    ("1.38E+10,李四,,,,,,*,,", "holder_id", "1.38E+10", "as text"),
    ("r-1,李四,,,2003/1/5,,,*,,", "room", "2003/1/5", "as text"),  # it was 3-1-5
    ("r-1,李四,,,1月5日,,,*,,", "room", "1月5日", "as text"),
    ("r-1,李四,,,5-Jan,,,*,,", "room", "5-Jan", "as text"),
    ("r-1,,,,,,,*,,", "name", "empty", "fill"),
    ("r-1,=cmd(),,,,,,*,,", "name", "=", "plain"),
    (f"r-1,{'长' * 65},,,,,,*,,", "name", "too long", "64"),
    ("r-1,李四,,,a\x07b,,,*,,", "room", "control", "plain"),
    ("r-1,李四,,,,62E3086CED,,*,,", "cards", "prefix", "em4100"),
    ("r-1,李四,,,,em4100:62E3086C,,*,,", "cards", "em4100:62E3086C", "em4100:62E3086CED"),
    ("r-1,李四,,,,1.23E+09,,*,,", "cards", "1.23E+09", "as text"),
    ("r-1,李四,,,,em4100:6.2E+11,,*,,", "cards", "6.2E+11", "em4100:62E3086CED"),  # a spreadsheet's doing
    ("r-1,李四,,,,w26:300-1,,*,,", "cards", "w26:300-1", "w26"),
    ("r-1,李四,,,,,鄂J1234,*,,", "plates", "鄂J1234", "鄂AD12345"),
    ("r-1,李四,,,,,鄂JO2345,*,,", "plates", "鄂JO2345", "鄂J02345"),
    ("r-1,李四,,,,,,,,", "points", "empty", "*"),
    ("r-1,李四,,,,,,*;gate,,", "points", "mixes", "*"),
    ("r-1,李四,,,,,,gaet,,", "points", "gaet", "did you mean 'gate'"),
    ("r-1,李四,,,,,,*,2026-02-30,", "valid_from", "2026-02-30", "2026-01-31"),
    ("r-1,李四,,,,,,*,,明年", "valid_until", "明年", "2026-01-31"),
    ("r-1,李四,,,,,,*,2026-02-02,2026-02-01", "valid_until", "2026-02-02", "2026-02-02"),
    (f"r-1,李四,,,,{';'.join(f'w26:1-{n}' for n in range(65))},,*,,", "cards", "64", "several"),
    ("r-1,李四,,,,,,*,", "", "9 cells", "comma"),
    ('r-1,"李四,,,,,,*,,', "", "quote", "quote"),
]


@pytest.mark.parametrize(("cells", "column", "message", "fix"), SLIPS)
def test_each_slip_is_named_with_its_place_and_fix(cells: str, column: str, message: str, fix: str) -> None:
    sheet = one(f"{LINE}\n{cells}")
    assert [(fault.line, fault.column) for fault in sheet.faults] == [(3, column)]
    fault = sheet.faults[0]
    assert message in fault.message.say(Language.EN)
    assert fix in fault.fix.say(Language.EN)
    for language in Language:
        assert "{" not in fault.say(language)
    assert fault.say(Language.ZH).startswith("第 3 行")


def test_all_faults_of_all_rows_in_one_run() -> None:
    sheet = one("\n".join(cells for cells, *_ in SLIPS[:-1]))
    assert len(sheet.faults) == len(SLIPS) - 1
    assert [fault.line for fault in sheet.faults] == list(range(2, len(SLIPS) + 1))


HEADS = [
    (EN.replace("plates", "plate"), {"": "did you mean 'plates'", "plates": "add it"}),
    (f"{EN},name", {"name": "remove one"}),
    (EN.replace(",points", ""), {"points": "every line"}),  # it may not stay empty
    (EN.replace("holder_id,", ""), {"holder_id": "every line"}),
    (EN.replace(",room", ""), {"room": "may stay empty"}),
    ("张三,1,2", {"": "holder_id,name"}),
]


@pytest.mark.parametrize(("head", "fixes"), HEADS)
def test_a_wrong_heading_is_named(head: str, fixes: dict[str, str]) -> None:
    faults = read(f"{head}\n".encode(), POINTS).faults
    assert {fault.column for fault in faults} == set(fixes)
    for fault in faults:
        assert fixes[fault.column] in fault.fix.say(Language.EN)


def test_a_chinese_heading_is_mended_in_chinese() -> None:
    (unknown, missing) = read(f"{ZH.replace('姓名', '住户姓名')}\n".encode(), POINTS).faults
    assert "是不是“姓名”" in unknown.fix.say(Language.ZH)
    assert missing.column == "name"
    (no_heading,) = read("张三,1,2\n".encode(), POINTS).faults
    assert ZH in no_heading.fix.say(Language.ZH)


WHOLE = [
    (b"", "empty"),
    (b"\xef\xbb\xbf\r\n ", "empty"),
    (EN.encode(), "no holder"),
    (b"PK\x03\x04" + bytes(100), "workbook"),
    (EN.encode("utf-16"), "UTF-16"),
    (f"{EN}\n".encode() + b"\x80\xff\xff", "neither"),
    (b"[]", "no holder"),
    (b'{"holder_id": "r-1"}', "list"),
    (b'[{"holder_id": "r-1"', "valid JSON"),
    (b"[1]", "valid JSON"),
    (b"[[" * 50_000, "valid JSON"),
    (b'[{"a":' * 50_000, "valid JSON"),
    (b'[{"holder_id": ' + b"1" * 5000, "valid JSON"),
    (b" " * ((64 << 20) + 1), "64 MiB"),
]


@pytest.mark.parametrize(("data", "message"), WHOLE)
def test_what_is_no_roster_is_said(data: bytes, message: str) -> None:
    sheet = read(data, POINTS)
    assert not sheet.rows
    assert message in sheet.faults[0].message.say(Language.EN)


def test_json_names_lines_and_takes_lists_texts_and_null() -> None:
    entries = [
        {"holder_id": "r-1", "name": "李四", "cards": ["w26:1-2", "w26:1-3"], "points": ["gate"], "valid_until": None},
        {"住户编号": "r-2", "姓名": "王五", "卡号": "w26:1-4;w26:1-5", "通行点": "*", "ref": "h:0"},
        {"holder_id": "r-3", "name": 5, "colour": "red"},
    ]
    sheet = read(json.dumps(entries, ensure_ascii=False, indent=1).encode(), POINTS)
    assert [(row.holder_id, len(row.cards), row.points) for row in sheet.rows[:2]] == [
        ("r-1", 2, frozenset({"gate"})),
        ("r-2", 2, None),
    ]
    third = json.dumps(entries, ensure_ascii=False, indent=1).split('"r-3"')[0].count("\n")
    assert {(fault.line, fault.column) for fault in sheet.faults} == {(third, "name"), (third, "points"), (third, "")}


def test_a_key_that_is_there_twice_in_json_is_a_fault_and_no_choice() -> None:
    text = '[{"holder_id":"r-1","name":"a","points":"*","cards":"hex:01","cards":"hex:02"}]'
    (fault,) = read(text.encode()).faults
    assert (fault.line, "'cards' is there twice" in fault.say(Language.EN)) == (1, True)


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("headings", list(Language))
def test_what_is_written_reads_back(form: str, headings: Language) -> None:
    other = Row("r-2", '王,"五"', "visitor", "", "", (), (), frozenset({"gate", "east-door"}), None, None, "lost")
    text = write([ROW, other], "json" if form == "json" else "csv", headings)
    assert read(text.encode("gb18030"), POINTS).rows == [ROW, other]
    assert write([ROW]).splitlines() == [EN, LINE]


def test_a_chinese_file_has_chinese_words_in_its_cells() -> None:
    other = Row("r-2", "李四", "staff", "tenant", "", (), (), None, None, None, "lost")
    assert ",员工,租户," in write([other], "csv", Language.ZH)
    assert write([other], "csv", Language.ZH).rstrip().endswith(",挂失")


@given(st.binary(max_size=300))
def test_no_bytes_whatever_raise(data: bytes) -> None:
    for body in (data, f"{EN}\n".encode() + data, b'[{"holder_id":' + data):
        sheet = read(body, POINTS)
        assert sheet.rows or sheet.faults
        for fault in sheet.faults:
            assert fault.line >= 1
            fault.say(Language.ZH)


def test_the_example_that_is_shipped_is_a_good_roster() -> None:
    data = (Path(__file__).parents[2] / "config" / "roster.csv").read_bytes()
    sheet = read(data, POINTS)
    assert not sheet.faults
    assert len(sheet.rows) >= 2
