"""`face enrol`, `face erase` and `face list` as an operator calls them: the real program, nets and databases."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from gateway.keys import Keys
from gateway.spool import Spool

ROOT = Path(__file__).resolve().parent.parent.parent
CONSENT = ["--consent-version", "2026-1", "--consent-channel", "paper", "--consent-ref", "binder 3/17"]


class Site:
    """A configured box with a roster of two and the face models."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.data = folder / "data"
        self.config = folder / "gateway.toml"
        shutil.copytree(models, self.data / "models")
        self.configure(enabled=True)
        for holder, name in (("r-0502", "张三"), ("r-0503", "李四")):
            assert self.call("roster", "add", holder, "--name", name, "--point", "*").returncode == 0

    def configure(self, *, enabled: bool, language: str = "en") -> None:
        self.config.write_text(
            f"""
            site = {{ compound_id = "test", name = "测试", language = "{language}" }}
            gateway = {{ id = "box-1", data_dir = "data" }}
            face = {{ enabled = {str(enabled).lower()}, purpose = "p", necessity = "n", pia_ref = "r" }}
            """,
            encoding="utf-8",
        )

    def call(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gateway", *arguments, "--config", self.config]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONUTF8": "1"}
        )

    def events(self) -> list[tuple[str, dict[str, object]]]:
        """What was done to faces, beside the roster."""
        left = [one.event for one in Spool(self.data / "spool").take()]
        return [(event.name, dict(event.data)) for event in left if event.subject == "faces"]

    def enrolled(self) -> list[dict[str, object]]:
        return list(json.loads(self.call("face", "list", "--json").stdout))


@pytest.fixture
def portrait(portrait: Path, tmp_path: Path) -> Path:
    """Twice as large, so that it has the pixels between the eyes that are asked for."""
    large = tmp_path / "portrait.png"
    cv2.imwrite(str(large), cv2.resize(cv2.imread(str(portrait)), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
    return large


@pytest.fixture
def site(tmp_path: Path, face_models: Path) -> Site:
    return Site(tmp_path, face_models)


def test_enrolled_with_consent_audited_and_erased(site: Site, portrait: Path) -> None:
    ref = Keys(site.data).holder_ref("r-0502")
    done = site.call("face", "enrol", "r-0502", portrait, *CONSENT, "--guardian", "王五")
    assert done.returncode == 0, done.stderr
    assert "1 templates, 1 people" in done.stdout
    assert "3 or more" in done.stderr, "says that more photos are better"
    assert portrait.exists(), "a file of the operator's own stays"
    assert "--delete-photos" in done.stderr
    (row,) = site.enrolled()
    assert (row["ref"], row["holder_id"], row["templates"], row["usable"]) == (ref, "r-0502", 1, True)

    assert site.call("roster", "remove", "r-0502").returncode == 0
    site.configure(enabled=False)
    gone = site.call("face", "erase", "r-0502", "--reason", "moved-out")
    assert gone.returncode == 0, "withdrawal works without the roster and with recognition off"
    assert site.enrolled() == []
    (first, enrolled), (second, erased) = site.events()
    assert (first, second) == ("audit.face_enrolled", "audit.face_erased")
    assert enrolled["holder"] == erased["holder"] == {"ref": ref}
    assert erased["reason"] == "moved-out"
    assert "张三" not in str(enrolled)
    assert "王五" not in str(enrolled)
    assert "r-0502" not in str(enrolled) + str(erased)


def test_photos_inside_the_data_folder_are_deleted(site: Site, portrait: Path, tmp_path: Path) -> None:
    inside, outside = site.data / "upload.png", tmp_path / "mine.png"
    for path in (inside, outside):
        shutil.copy(portrait, path)
    assert site.call("face", "enrol", "r-0502", inside, outside, *CONSENT, "--dry-run").returncode == 0
    assert (inside.exists(), site.enrolled(), site.events()) == (True, [], []), "a dry run does nothing"
    assert site.call("face", "enrol", "r-0502", inside, outside, *CONSENT).returncode == 0
    assert (inside.exists(), outside.exists()) == (False, True)
    assert site.call("face", "enrol", "r-0502", outside, *CONSENT, "--delete-photos").returncode == 0
    assert not outside.exists()
    assert site.enrolled()[0]["templates"] == 1, "a second enrolment replaces the first"


def test_a_refused_photo_changes_nothing_and_says_why_in_both_languages(
    site: Site, portrait: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), cv2.resize(cv2.imread(str(portrait)), None, fx=0.5, fy=0.5))
    for language, words in (("en", "pixels between the eyes"), ("zh", "两眼间距")):
        site.configure(enabled=True, language=language)
        done = site.call("face", "enrol", "r-0502", portrait, small, *CONSENT, "--delete-photos")
        assert done.returncode == 1
        assert f"small.png{'：' if language == 'zh' else ': '}" in done.stderr
        assert words in done.stderr
        assert small.exists()
    assert site.enrolled() == []
    assert site.events() == []
    assert site.call("face", "enrol", "r-0502", small, *CONSENT, "--min-eyes", "40").returncode == 0


@pytest.mark.parametrize("missing", CONSENT[::2])
def test_no_enrolment_without_each_part_of_the_consent(site: Site, portrait: Path, missing: str) -> None:
    at = CONSENT.index(missing)
    done = site.call("face", "enrol", "r-0502", portrait, *CONSENT[:at], *CONSENT[at + 2 :])
    assert done.returncode == 2
    assert missing in done.stderr
    assert not (site.data / "faces.db").exists()


def test_refusals_name_the_next_move(site: Site, portrait: Path) -> None:
    unknown = site.call("face", "enrol", "r-0501", portrait, *CONSENT)
    assert unknown.returncode == 1
    assert "did you mean" in unknown.stderr
    over = [
        "r-0901",
        "--name",
        "前住户",
        "--room",
        "9",
        "--category",
        "owner",
        "--point",
        "*",
        "--valid-until",
        "2020-01-01",
    ]
    assert site.call("roster", "add", *over).returncode == 0
    moved_out = site.call("face", "enrol", "r-0901", portrait, *CONSENT)
    assert moved_out.returncode == 1
    assert "no valid holder" in moved_out.stderr
    nobody = site.call("face", "erase", "r-0502", "--reason", "withdrawn")
    assert nobody.returncode == 1
    assert "face list" in nobody.stderr
    shutil.rmtree(site.data / "models")
    unprepared = site.call("face", "enrol", "r-0502", portrait, *CONSENT)
    assert unprepared.returncode == 1
    assert "models prepare" in unprepared.stderr
    site.configure(enabled=False)
    off = site.call("face", "enrol", "r-0502", portrait, *CONSENT)
    assert off.returncode == 1
    assert "pia_ref" in off.stderr
