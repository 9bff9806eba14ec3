"""Verification on made-up vectors, its picture, and the command on the photographs of ../shared."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from gateway.cli import cli
from gateway.errors import Rejected
from gateway.types import Box
from gateway.vision.faces import Face
from gateway.vision.gallery import Rule
from gateway.vision.verification import identify, measure_faces

RULE = Rule(match=5.0, margin=0.0, alone=5.0)


class Finder:
    """One face in every picture that is not black."""

    def detect(self, image: np.ndarray) -> list[Face]:
        return [Face(Box(0, 0, 9, 9), 1.0, np.zeros((5, 2), np.float32))] if image.any() else []


class Embedder:
    """A picture's mean colour."""

    def embed(self, image: np.ndarray, _: Face) -> np.ndarray:
        return image.mean(axis=(0, 1)).astype(np.float32)


def photographs(folder: Path, **greys: tuple[int, ...]) -> Path:
    """Grey pictures of each identity."""
    lines = ["file,identity"]
    for identity, values in greys.items():
        for number, grey in enumerate(values):
            name = f"{identity}_{number}.png"
            cv2.imwrite(str(folder / name), np.full((32, 32, 3), grey, np.uint8))
            lines.append(f"{name},{identity}")
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_all_pairs_are_compared_by_group(tmp_path: Path) -> None:
    folder = photographs(tmp_path, ea_a=(10, 12, 30), ea_b=(40, 0), we_a=(100, 101), we_b=(200, 203))
    east, west = measure_faces(folder, Finder(), Embedder(), RULE, split="ea_")  # type: ignore[arg-type]
    assert (east.group, east.photographs, east.missed, east.people) == ("ea_", 5, 1, 2)
    assert len(east.genuine) == len(east.impostor) == 3
    rate, distance = east.at(0.0)  # below the nearest pair of two people: 30 and 40
    assert distance == pytest.approx(10 * 3**0.5)
    assert rate == pytest.approx(1 / 3)
    assert west.group == "not ea_"
    assert west.at(1e-3)[0] == 1
    assert [len(one.curve()) for one in (east, west)] == [120, 120]
    (whole,) = measure_faces(folder, Finder(), Embedder(), RULE)  # type: ignore[arg-type]
    assert (whole.group, whole.people) == ("all", 4)


def test_people_are_looked_for_among_those_enrolled() -> None:
    """On a line: four photographs of each of two people, the second's last among those of the first; and a stranger."""
    one, two = [np.float32([value]) for value in (0, 1, 2, 3)], [np.float32([value]) for value in (50, 51, 52, 2.5)]
    people = {"a": one, "b": two, "c": [np.float32([90])], "d": [np.float32([1.5])]}
    found = identify(people, RULE, enrolled=9)  # more than there are with enough photographs
    assert found is not None
    assert found.enrolled == 2
    assert 0 < found.wrong < 0.5
    assert found.own < 1
    assert found.strangers == 0.5
    assert identify({"c": [np.float32([90])]}, RULE) is None
    all_known = identify({"a": one}, RULE, draws=3)
    assert all_known is not None
    assert (all_known.own, all_known.strangers) == (1, None)


def test_labels_that_are_of_no_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="labels"):
        measure_faces(tmp_path, Finder(), Embedder(), RULE)  # type: ignore[arg-type]
    for text in ("name,who\na,b\n", "file,identity\n../../etc/passwd,a\n", "file,identity\ngone.png,a\n"):
        (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
        with pytest.raises(Rejected):
            measure_faces(tmp_path, Finder(), Embedder(), RULE)  # type: ignore[arg-type]
    with pytest.raises(Rejected, match="too few"):
        measure_faces(photographs(tmp_path, one=(10, 20)), Finder(), Embedder(), RULE)  # type: ignore[arg-type]


@pytest.mark.shared
def test_the_bench_measures_faces_and_draws(shared: Path, face_models: Path, tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(face_models)
    config = tmp_path / "gateway.toml"
    config.write_text(
        '[site]\ncompound_id = "east"\nname = "East"\n[gateway]\nid = "b"\n' + f'data_dir = "{tmp_path}"\n',
        encoding="utf-8",
    )
    given = ["models", "bench", "--faces", str(shared / "data" / "faces"), "--split", "ea_", "--json"]
    result = CliRunner().invoke(cli, [*given, "--picture", str(tmp_path / "roc.svg"), "--config", str(config)])
    assert result.exit_code == 0, result.output
    east, west = json.loads(result.stdout)
    assert east["tar_at_0.001"] >= 0.5
    assert west["tar_at_0.001"] >= 0.98
    assert east["missed"] + west["missed"] <= 2
    assert ET.parse(tmp_path / "roc.svg").getroot().tag.endswith("svg")
