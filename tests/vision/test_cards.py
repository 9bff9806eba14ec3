"""Every accuracy that a card of ours states is what `models bench` says of the photographs of ../shared."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import cli
from gateway.vision.catalogue import Accuracy, folders, model_dirs, open_model

Rows = dict[str, dict[str, Any]]  # of each group of photographs, its figures
CARDS = [open_model(folder).card for folder in folders(model_dirs())]
STATED = [pytest.param(card.name, one, id=f"{card.name} {one.metric}") for card in CARDS for one in card.accuracy]
MADE_WHERE_IT_GAINS = "dlib-resnet-int8"  # each box makes its own


def test_every_accuracy_says_how_it_is_measured() -> None:
    assert STATED
    assert all(one.bench for card in CARDS for one in card.accuracy)


@pytest.fixture(scope="module")
def bench(shared: Path, face_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Rows]:
    """`models bench` with a card's options, by the embedded face models."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "models").symlink_to(face_models)
    config = folder / "gateway.toml"
    config.write_text(
        f'site = {{ compound_id = "t", name = "T" }}\ngateway = {{ id = "b", data_dir = "{folder}" }}\n',
        encoding="utf-8",
    )

    @cache
    def run(options: str) -> Rows:
        given = options.replace("../shared", str(shared)).split()
        result = CliRunner().invoke(cli, ["models", "bench", *given, "--json", "--config", str(config)])
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        rows: list[dict[str, Any]] = found if isinstance(found, list) else found["groups"]
        without = {} if isinstance(found, list) or not found["without"] else {"without": found["without"]}
        return {row["group"]: row for row in rows} | without

    return run


@pytest.mark.shared
@pytest.mark.parametrize(("name", "stated"), [one for one in STATED if one.values[0] != MADE_WHERE_IT_GAINS])
def test_the_bench_says_what_the_card_states(name: str, stated: Accuracy, bench: Callable[[str], Rows]) -> None:
    """To one photograph: another processor's rounding may turn one."""
    assert stated.bench is not None
    row = bench(stated.bench.options)[stated.bench.group]
    found = row[stated.bench.figure]
    assert found == pytest.approx(stated.value, abs=1.01 / row["photographs"]), name
