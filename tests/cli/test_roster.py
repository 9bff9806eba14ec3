"""`compound-gateway roster …` as staff type it: the program itself, its exit codes and both languages."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from gateway.cli import main
from gateway.cli.roster import command
from gateway.keys import Keys
from gateway.spool import Spool

HEAD = "住户编号,姓名,类别,身份,房号,卡号,车牌,通行点,有效期起,有效期止"
LINE = "r-0502,张三,resident,owner,3-1-0502,em4100:62E3086CED;w26:8-27885,鄂J12345,*,2026-01-01,2027-12-31"
CONFIG = """
[site]
compound_id = "fenglinwan"
name = "枫林湾小区"
language = "{language}"
[gateway]
id = "box-1"
data_dir = "data"
[points.east-door]
name = "东门"
kind = "pedestrian"
direction = "in"
"""


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str


class Terminal:
    """Types commands in a folder of its own: the whole command line, in this process because that is quicker."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._capture = capture
        self._patch = patch
        self._config = folder / "gateway.toml"
        self.speak("zh")
        (folder / "data").mkdir()

    def speak(self, language: str) -> None:
        self._config.write_text(CONFIG.format(language=language), encoding="utf-8")

    def words(self, *words: str | Path) -> list[str]:
        return ["compound-gateway", "roster", *map(str, words), "--config", str(self._config)]

    def run(self, *words: str | Path, given: bytes = b"") -> Said:
        self._patch.setattr(sys, "argv", self.words(*words))
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        self._capture.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = self._capture.readouterr()
        return Said(code, said.out, said.err)

    def file(self, text: str, name: str = "名册.csv", encoding: str = "gbk") -> Path:
        path = self.folder / name
        path.write_bytes(text.encode(encoding))
        return path

    def listed(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(self.run("list", "--json").out)
        return found


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(tmp_path, capsys, monkeypatch)


def test_import_list_export_and_back(terminal: Terminal) -> None:
    source = terminal.file(f"{HEAD}\r\n{LINE}\r\n")
    dry = terminal.run("import", source, "--dry-run")
    assert dry.code == 0
    assert "+ r-0502" in dry.out
    assert terminal.listed() == []
    done = terminal.run("import", source)
    assert (done.code, done.out) == (0, "新增 1，更新 0，删除 0，不变 0\n")
    (entry,) = terminal.listed()
    assert str(entry["ref"]).startswith("h:")
    assert entry["cards"] == ["em4100:62E3086CED", "w26:8-27885"]
    for form, encoding in (("csv", "gbk"), ("json", "utf-8"), ("csv", "utf-8-sig")):
        out = terminal.folder / f"out.{form}"
        exported = terminal.run("export", out, "--encoding", encoding, "--headings", "zh")
        assert exported.code == 0
        assert out.stat().st_mode & 0o077 == 0
        again = terminal.run("import", out, "--json")
        assert json.loads(again.out)["unchanged"] == ["r-0502"]
        out.unlink()
    rows = list(csv.reader(terminal.run("export").out.splitlines()))
    assert rows[0][0] == "holder_id"
    assert rows[1] == LINE.split(",")
    assert terminal.run("import", "-", given=json.dumps(terminal.listed()).encode()).code == 0


def test_a_chinese_office_reads_and_writes_chinese_words(terminal: Terminal) -> None:
    """The help says "挂失"; who typed it was refused in English, and the list said "lost"."""
    terminal.run("import", terminal.file(f"{HEAD}\r\n{LINE}\r\n"))
    assert terminal.run("add", "r-0502", "--update", "--status", "挂失").code == 0
    assert terminal.listed()[0]["status"] == "lost"
    assert terminal.run("list").out.split("\t")[2:4] == ["住户", "业主"]
    assert terminal.run("list").out.rstrip().endswith("挂失")
    wrong = terminal.run("add", "r-0502", "--update", "--status", "丢失")
    assert (wrong.code, "未知状态“丢失”" in wrong.err, "挂失" in wrong.err) == (1, True, True)
    terminal.speak("en")
    assert terminal.run("list").out.rstrip().endswith("lost")


@pytest.mark.parametrize(("language", "words"), [("zh", ("第 3 行", "改法")), ("en", ("line 3", "Fix"))])
def test_faults_are_said_in_the_sites_language_and_nothing_changes(
    terminal: Terminal, language: str, words: tuple[str, str]
) -> None:
    terminal.speak(language)
    source = terminal.file(f"{HEAD}\n{LINE}\nr-2,李四,,,,w26:8-27885,坏牌,west-door,,\n")
    refused = terminal.run("import", source)
    assert refused.code == 1
    said = refused.err
    assert all(word in said for word in words)
    assert len(said.splitlines()) == 4  # plate, point, card of another holder, and the sum
    as_json = terminal.run("import", source, "--json")
    assert as_json.code == 1
    faults = json.loads(as_json.out)["faults"]
    assert [(fault["line"], fault["column"]) for fault in faults] == [(3, "plates"), (3, "points"), (3, "cards")]
    assert "east-door" in faults[1]["fix"]
    assert terminal.listed() == []


def test_replace_removes_whom_the_file_does_not_name(terminal: Terminal) -> None:
    terminal.run("add", "r-9", "--name", "王五", "--point", "*")
    source = terminal.file(f"{HEAD}\n{LINE}\n", encoding="utf-8")
    assert json.loads(terminal.run("import", source, "--json").out)["removed"] == []
    assert json.loads(terminal.run("import", source, "--json", "--replace").out)["removed"] == ["r-9"]
    assert [entry["holder_id"] for entry in terminal.listed()] == ["r-0502"]


def test_add_update_and_remove(terminal: Terminal) -> None:
    added = terminal.run(
        "add", "r-1", "--name", "李四", "--card", "w26:1-2", "--card", "w26:1-3", "--point", "east-door"
    )
    assert added.code == 0
    assert terminal.run("add", "r-1", "--name", "李四", "--point", "*").code == 1
    wrong = terminal.run("add", "r-2", "--name", "王五", "--card", "w26:1-2", "--point", "east-dor")
    assert wrong.code == 1
    assert "east-door" in wrong.err
    assert terminal.run("add", "r-1", "--update", "--status", "lost", "--card", "w26:1-3").code == 0
    (entry,) = terminal.listed()
    assert (entry["cards"], entry["name"], entry["status"]) == (["w26:1-3"], "李四", "lost")
    assert terminal.run("add", "r-7", "--update", "--room", "1").code == 1
    assert terminal.run("remove", "r-1", "r-7").code == 1
    assert len(terminal.listed()) == 1
    assert terminal.run("remove", "r-1").code == 0
    assert terminal.listed() == []


def audited(terminal: Terminal) -> list[tuple[str, dict[str, object]]]:
    return [(one.event.name, dict(one.event.data)) for one in Spool(terminal.folder / "data" / "spool").take()]


def test_every_change_has_an_author_in_the_journal_and_names_nobody(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "wuye-zhang")
    ref = Keys(terminal.folder / "data").holder_ref
    whom = ("--name", "李四", "--point", "*", "--card", "em4100:0A00000006")
    assert terminal.run("add", "r-0508", *whom, "--dry-run").code == 0
    assert audited(terminal) == []
    assert terminal.run("add", "r-0508", *whom).code == 0
    assert terminal.run("add", "r-0508", "--update", "--name", "李四").code == 0  # nothing to change
    assert terminal.run("add", "r-0508", "--update", "--status", "lost").code == 0
    file = terminal.folder / "roster.csv"
    file.write_text(f"{HEAD}\n{LINE}\n{LINE.replace('0502', '0503').split(',em4100')[0]},,,*,,\n", encoding="utf-8")
    assert terminal.run("import", file).code == 0
    assert terminal.run("remove", "r-0502").code == 0
    assert terminal.run("remove", "r-9999").code == 1
    by: dict[str, object] = {"by": "wuye-zhang"}
    one = {"added": 0, "updated": 0, "removed": 0, "holder": {"ref": ref("r-0508")}}
    assert audited(terminal) == [
        ("audit.roster_changed", by | one | {"added": 1}),
        ("audit.roster_changed", by | one | {"updated": 1}),
        ("audit.roster_changed", by | {"added": 2, "updated": 0, "removed": 0}),
        ("audit.roster_changed", by | one | {"removed": 1, "holder": {"ref": ref("r-0502")}}),
    ]


def test_a_lost_card_is_shut_out_also_where_the_audit_cannot_be_written(terminal: Terminal) -> None:
    (terminal.folder / "data" / "spool").write_text("no folder", encoding="utf-8")
    said = terminal.run("add", "r-0508", "--name", "李四", "--point", "*")
    assert said.code == 0
    assert "新增 1" in said.out
    assert "未能记入审计" in said.err


def test_what_cannot_be_read_is_said_without_a_traceback(terminal: Terminal) -> None:
    assert terminal.run("import", terminal.folder / "nobody.csv").code == 1
    assert terminal.run("import").code == 2
    (terminal.folder / "data" / "roster.db").write_bytes(b"no database" * 1000)
    words = [sys.executable, "-m", "gateway", *terminal.words("list")[1:]]
    damaged = subprocess.run(words, capture_output=True, check=False, timeout=60)
    assert damaged.returncode == 1
    said = damaged.stderr.decode()
    assert "roster.db" in said
    assert "Traceback" not in said


def test_every_command_and_option_is_explained_in_both_languages() -> None:
    for name, found in command.commands.items():
        assert " · " in (found.help or ""), name
        for parameter in found.params:
            if isinstance(parameter, click.Option) and parameter.name not in ("encoding", "headings", "help"):
                assert " · " in (parameter.help or ""), f"{name} --{parameter.name}"
