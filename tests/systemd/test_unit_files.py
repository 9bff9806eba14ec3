"""The files for systemd, udev and friends, judged by the tools they are for; nothing is booted."""

from __future__ import annotations

import subprocess
from configparser import ConfigParser
from pathlib import Path

from tests.installed import ROOT
from tests.real import needed

FILES = ROOT / "systemd"
UNIT = FILES / "compound-gateway.service"


def tool(name: str, *words: str) -> tuple[int, str]:
    line = [needed(name, "systemd"), *words]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_systemd_finds_nothing_to_say_about_the_unit() -> None:
    # For an unknown key it warns and exits 0: only silence is consent.
    assert tool("systemd-analyze", "verify", "--man=no", str(UNIT)) == (0, "")


def test_a_misspelt_key_would_be_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / UNIT.name
    wrong.write_text(UNIT.read_text(encoding="utf-8").replace("WatchdogSec", "WatchdogSek"), encoding="utf-8")
    assert "WatchdogSek" in tool("systemd-analyze", "verify", "--man=no", str(wrong))[1]


def test_the_unit_exposes_little() -> None:
    code, said = tool("systemd-analyze", "security", "--offline=yes", "--threshold=25", "--no-pager", str(UNIT))
    assert code == 0, said


def test_the_account_is_made_with_its_groups(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    config = FILES / "compound-gateway.sysusers.conf"
    code, said = tool("systemd-sysusers", f"--root={tmp_path}", "--dry-run", str(config))
    assert code == 0, said
    assert "compound-gateway" in said
    assert {"dialout", "video"} <= set(config.read_text(encoding="utf-8").split())


def test_the_folders_are_understood(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    config = tmp_path / "folders.conf"
    text = (FILES / "compound-gateway.tmpfiles.conf").read_text(encoding="utf-8")
    for lines, code in ((text, 0), (text.replace("d /etc", "& /etc"), 65)):
        config.write_text(lines, encoding="utf-8")
        # the prefix keeps it from making them, which only root may; the container test does
        assert (
            tool("systemd-tmpfiles", f"--root={tmp_path}", "--create", "--prefix=/var/nowhere", str(config))[0] == code
        )


def test_logs_stay_for_the_six_months_that_the_law_asks_for() -> None:
    config = ConfigParser()
    config.read(FILES / "compound-gateway.journald.conf", encoding="utf-8")
    assert config["Journal"]["Storage"] == "persistent"
    code, said = tool("systemd-analyze", "timespan", config["Journal"]["MaxRetentionSec"])
    assert code == 0, said
    microseconds = next(int(line.split(":")[1]) for line in said.splitlines() if line.strip().startswith("μs:"))
    assert microseconds > 183 * 86_400_000_000
    for page in ("docs/install.md", "docs/install.zh-CN.md"):
        assert "systemd/compound-gateway.journald.conf /etc/systemd/journald.conf.d/" in (ROOT / page).read_text(
            "utf-8"
        )


def test_the_udev_rules_are_whole() -> None:
    lines = (FILES / "70-compound-gateway.rules").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules
    for rule in rules:
        keys = [part.split("=")[0].rstrip("+!") for part in rule.split(", ")]
        assert keys == ["SUBSYSTEM", "ENV{ID_PATH}", "SYMLINK", "GROUP", "MODE", "ENV{ID_MM_DEVICE_IGNORE}"]
