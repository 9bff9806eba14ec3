"""Accuracy on labelled photographs: the figures of made-up outcomes, and the command on plates that were drawn."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from gateway.cli import cli
from gateway.errors import GatewayError, Rejected
from gateway.vision.labels import of_learnt_half, read_labels
from gateway.vision.plate_accuracy import Outcome, confusions, reliability, summary
from tests.installed import ROOT

DRAWN = sorted((ROOT / "gateway" / "demo" / "plates").glob("*.png"))


def outcome(plate: str, read: str, confidence: float = 0.9, **more: Any) -> Outcome:
    given: dict[str, Any] = {"file": "a/b.jpg", "kind": "scene", "colour": "blue", "colour_right": True}
    return Outcome(plate=plate, read=read, confidence=confidence, **{**given, "among": plate == read, **more})


def test_shares_are_of_all_photographs_of_a_group() -> None:
    outcomes = [
        outcome("皖A12345", "皖A12345"),
        outcome("皖A12345", "京A12345", 0.5),
        outcome("皖A12345", "", 0.0, colour_right=False),
        outcome("皖A12345", "鄂J00000", 0.95, among=True, file="c.jpg", colour="", colour_right=None),
        outcome("皖A12345", "皖A12345", 0.2, kind="crop", file="c.jpg"),
    ]
    rows = {row["group"]: row for row in summary(outcomes, 0.85)}
    assert list(rows) == ["a/", "crops", "scenes", "scenes blue"]
    scenes = rows["scenes"]
    assert (scenes["photographs"], scenes["nothing"]) == (4, 1)
    assert (scenes["exact"], scenes["among"], scenes["but_province"]) == (0.25, 0.5, 0.5)
    assert (scenes["sure"], scenes["sure_right"]) == (0.5, 0.5)
    assert scenes["colour"] == pytest.approx(2 / 3)
    assert rows["crops"]["exact"] == 1
    assert (rows["crops"]["sure"], rows["crops"]["sure_right"]) == (0, None)
    assert (scenes["trusted"], scenes["trusted_right"]) == (0.5, 0.5)


def test_what_the_reader_has_not_learnt_from_has_rows_of_its_own() -> None:
    outcomes = [outcome("皖A12345", "皖A12345", file=f"{number}.jpg") for number in range(20)]
    fresh = [one for one in outcomes if not of_learnt_half(one.file)]
    assert 0 < len(fresh) < 20
    rows = {row["group"]: row for row in summary(outcomes, 0.85, halved=True)}
    assert list(rows) == ["all not learnt from", "scenes", "scenes blue", "scenes not learnt from"]
    assert rows["scenes not learnt from"]["photographs"] == rows["all not learnt from"]["photographs"] == len(fresh)


def test_reliability_sets_what_was_said_beside_what_is_true() -> None:
    outcomes = [outcome("A", "A", 1.0), outcome("A", "B", 0.99), outcome("A", "A", 0.4), outcome("A", "", 0.0)]
    low, high = reliability(outcomes)
    assert (low.low, low.high, low.reads, low.said, low.true) == (0.3, 0.6, 1, 0.4, 1.0)
    assert (high.reads, high.said, high.true) == (2, pytest.approx(0.995), 0.5)


def test_confusions_are_of_reads_that_are_nearly_right() -> None:
    outcomes = [
        outcome("皖A12345", "京A12345"),
        outcome("皖A1234S", "皖A12345"),
        outcome("皖A12345", "鄂J99999"),  # another car
        outcome("皖A12345", "皖A1234"),
    ]
    wrong = {pair: count for pair, count in confusions(outcomes).items() if pair[0] != pair[1]}
    assert wrong == {("皖", "京"): 1, ("S", "5"): 1}
    assert confusions(outcomes)["A", "A"] == 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The six drawn plates as crops, one of them with a wrong label."""
    lines = ["﻿file,plate,kind,colour"]
    for number, path in enumerate(DRAWN):
        shutil.copy(path, tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{path.stem if number else '京A00000'},crop,")
    (tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def bench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["models", "bench", *map(str, arguments)], env={"LANG": "en_US.UTF-8"})


def test_the_command_reads_a_labelled_folder_and_draws(folder: Path) -> None:
    result = bench("--plates", folder, "--picture", folder / "plates.svg", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    (crops,) = found["groups"]  # of these photographs nothing was learnt from, so none is a case of its own
    assert (crops["group"], crops["photographs"], crops["colour"]) == ("crops", 6, None)
    assert crops["exact"] == pytest.approx(5 / 6)
    assert [(one["file"], one["plate"], one["read"]) for one in found["wrong"]] == [
        ("0.png", "京A00000", DRAWN[0].stem)
    ]
    assert sum(one["reads"] for one in found["reliability"]) == 6
    assert found["without"] is None
    assert (folder / "plates.svg").read_text(encoding="utf-8").startswith("<?xml")
    said = bench("--plates", folder).stdout
    assert "crops" in said
    assert "83.3%" in said


def test_photographs_without_plates_are_counted(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((120, 200, 3), 127, np.uint8))
    cv2.imwrite(str(tmp_path / "more" / "black.png"), np.zeros((120, 200, 3), np.uint8))
    shutil.copy(DRAWN[-1], tmp_path / "plate.png")
    found = json.loads(bench("--without", tmp_path, "--json").stdout)["without"]
    assert found["photographs"] == 3
    assert 0 <= found["sure"] <= found["read"] <= 1
    assert "3 photographs without plates" in bench("--without", tmp_path).stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,number\na.png,京A12345\n", "labels.csv:2"),
        ("file,plate\n../a.png,京A12345\n", "outside the folder"),
        ("file,plate,kind\na.png,京A12345,car\n", "kind cannot be car"),
        ("file,plate,colour\na.png,京A12345,red\n", "colour cannot be red"),
        ("file,plate\na.png,\n", "labels.csv:2"),
        ("file,plate\n", "no usable"),
    ],
)
def test_a_label_that_is_of_no_use_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    result = bench("--plates", tmp_path)
    assert isinstance(result.exception, GatewayError)
    assert said in str(result.exception)


def test_labels_of_no_encoding_we_know_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("file,plate\na.png,京A12345\n".encode("gbk"))
    with pytest.raises(Rejected, match="no usable"):
        read_labels(tmp_path, ("plate",))


def test_an_empty_folder_holds_nothing_to_count(tmp_path: Path) -> None:
    assert isinstance(bench("--without", tmp_path).exception, Rejected)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--plates", ".", "--faces", "."],
        ["--picture", "a.png"],
        ["--once"],
        ["--float32", "--faces", "."],
        ["--enrolled", "3", "--plates", "."],
        ["--split", "ea_"],
    ],
)
def test_what_makes_no_sense_together_is_a_usage_error(arguments: list[str]) -> None:
    assert bench(*arguments).exit_code == 2
