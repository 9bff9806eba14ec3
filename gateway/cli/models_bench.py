"""`compound-gateway models bench`: how fast every model is here, or how well plates are read and faces told apart."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from gateway.cli import bench_tables
from gateway.cli.options import DEFAULT_CONFIG, config_option, json_option, language, load_settings
from gateway.errors import ModelError
from gateway.settings import Face, PlateReading, Provider
from gateway.text import Language, spoken

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
_FALSE_MATCH_RATES = (1e-2, 1e-3)
_IDENTIFIED = ("enrolled", "own", "wrong", "strangers")


@click.command()
@click.option("--rounds", type=click.IntRange(1, 10000), default=50, show_default=True, help="次数 · Runs per model.")
@click.option(
    "--plates",
    type=_FOLDER,
    help="带 labels.csv（file、plate，可加 colour、kind）的照片目录，测车牌准确率 · "
    "Measure plates on a folder with labels.csv (file, plate; colour, kind).",
)
@click.option(
    "--without",
    type=_FOLDER,
    help="没有车牌的照片目录，数误报 · Photographs that show no plate: count those in which one is read.",
)
@click.option(
    "--faces",
    type=_FOLDER,
    help="带 labels.csv（file、identity）的照片目录，测人脸准确率 · Measure faces on a folder with labels.csv.",
)
@click.option("--float32", is_flag=True, help="不用 int8，如模型卡所测 · No int8 nets, as the cards were measured.")
@click.option(
    "--once", is_flag=True, help="每张只看一次，如视频的一帧 · Look once at each scene, as at a frame of a video."
)
@click.option("--split", default="", help="姓名前缀，分开统计 · Identities that begin with this are a group apart.")
@click.option(
    "--enrolled",
    type=click.IntRange(1, 100_000),
    help="同时登记的人数，默认半数加一 · So many people enrolled at a time; default: half of them and one.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="绘图（.png .svg .pdf）：车牌的可靠性与易混字符，或人脸的 ROC · "
    "Draw reliability and confused characters, or the ROC.",
)
@json_option
@config_option
def bench(
    rounds: int,
    plates: Path | None,
    without: Path | None,
    float32: bool,
    once: bool,
    faces: Path | None,
    split: str,
    enrolled: int | None,
    picture: Path | None,
    as_json: bool,
    config_path: Path,
) -> None:
    """测速或测准确率 · Milliseconds a run of each model on one thread, or how well plates and faces are recognised."""
    from gateway.vision.providers import fallbacks, prefer

    if faces and (plates or without):
        raise click.UsageError("车牌与人脸请分开测量 · measure plates and faces one after the other")
    if (once or float32) and not (plates or without):
        raise click.UsageError("--once、--float32 需要 --plates 或 --without · they need --plates or --without")
    if (split or enrolled) and not faces:
        raise click.UsageError("--split、--enrolled 需要 --faces · they need --faces")
    if picture and not (plates or faces):
        raise click.UsageError("--picture 需要 --plates 或 --faces · --picture needs --plates or --faces")
    site = _Site(config_path, float32=float32)
    prefer(site.providers)
    if picture is not None:
        from gateway.vision.charts import check

        check(picture)
    if plates or without:
        _bench_plates(plates, without, once, picture, as_json, site)
    elif faces:
        _bench_faces(faces, split, enrolled or 0, picture, as_json, site)
    else:
        _bench_speed(rounds, as_json, site)
    for note in fallbacks():
        click.echo(note.say(language()), err=True)
    sys.exit(1 if site.faulty else 0)


class _Site:
    """What the configuration says, or the defaults on a box that has none yet."""

    def __init__(self, config_path: Path, *, float32: bool) -> None:
        self.faulty = False
        self.face, self.plate = Face(), PlateReading()
        self.providers: list[Provider] = []
        data_dir = None
        if config_path != DEFAULT_CONFIG or config_path.exists():
            settings = load_settings(config_path)
            self.face, self.plate, self.providers = settings.face, settings.plate, settings.vision.providers
            data_dir = settings.gateway.data_dir
        if float32:
            self.plate = self.plate.model_copy(update={"int8": False})
        from gateway.vision.catalogue import model_dirs

        self.dirs = model_dirs(data_dir)


def _bench_speed(rounds: int, as_json: bool, site: _Site) -> None:
    from gateway.vision.bench import measure
    from gateway.vision.catalogue import folders, open_model

    rows: list[dict[str, Any]] = []
    for folder in folders(site.dirs):
        model = open_model(folder)
        if not model.is_made:
            continue
        try:
            rows += [{"name": model.name, **timing} for timing in measure(model, rounds)]
        except ModelError as error:
            site.faulty = True
            click.echo(spoken(error.message, language()), err=True)
    _print(rows, as_json, bench_tables.print_speed)


def _bench_plates(
    folder: Path | None, without: Path | None, once: bool, picture: Path | None, as_json: bool, site: _Site
) -> None:
    from gateway.vision import plate_accuracy as accuracy
    from gateway.vision.catalogue import find
    from gateway.vision.labels import fingerprint
    from gateway.vision.recogniser import open_recogniser

    threshold = site.plate.threshold
    recogniser = open_recogniser(site.dirs, site.plate)
    learnt_from = find(site.plate.reader, site.dirs).card.learnt_from
    halved = folder is not None and learnt_from == fingerprint(folder)
    with _counting() as seen:
        outcomes = accuracy.measure_plates(folder, recogniser, seen, once=once) if folder else []
        false = accuracy.count_false(without, recogniser, threshold, seen) if without else None
    bins, pairs = accuracy.reliability(outcomes), accuracy.confusions(outcomes)
    found: dict[str, Any] = {
        "threshold": threshold,
        "groups": accuracy.summary(outcomes, threshold, halved=halved),
        "reliability": [asdict(one) for one in bins],
        "confused": [
            {"plate": true, "read": read, "count": count} for (true, read), count in pairs.most_common() if true != read
        ],
        "wrong": [
            {"file": one.file, "plate": one.plate, "read": one.read, "confidence": one.confidence}
            for one in outcomes
            if not one.right
        ],
        "without": false,
    }
    if picture is not None:
        from gateway.vision.charts import draw_plates

        draw_plates(picture, f"plates: {len(outcomes)} photographs", bins, pairs)
    _print(found, as_json, bench_tables.print_plates)


def _bench_faces(folder: Path, split: str, enrolled: int, picture: Path | None, as_json: bool, site: _Site) -> None:
    from gateway.vision.catalogue import find
    from gateway.vision.enrolled import rule_of
    from gateway.vision.faces import FaceFinder, open_embedder
    from gateway.vision.verification import measure_faces

    finder = FaceFinder(find(site.face.detector, site.dirs), min_face=site.face.min_face)
    embedder = open_embedder(find(site.face.model, site.dirs))
    with _counting() as seen:
        rule = rule_of(embedder.model)
        groups = measure_faces(folder, finder, embedder, rule, split=split, enrolled=enrolled, seen=seen)
    rows: list[dict[str, Any]] = [
        {"group": one.group, "photographs": one.photographs, "missed": one.missed, "people": one.people}
        | {"found": 1 - one.missed / one.photographs}
        | {f"tar_at_{far:g}": round(one.at(far)[0], 4) for far in _FALSE_MATCH_RATES}
        | {f"distance_at_{far:g}": round(one.at(far)[1], 4) for far in _FALSE_MATCH_RATES}
        | (asdict(one.identification) if one.identification else dict.fromkeys(_IDENTIFIED))
        for one in groups
    ]
    if picture is not None:
        from gateway.vision.charts import draw_faces

        draw_faces(picture, f"{site.face.detector} + {site.face.model}", {one.group: one.curve() for one in groups})
    _print(rows, as_json, bench_tables.print_faces)


@contextmanager
def _counting() -> Iterator[Callable[[], None]]:
    """Something to call for each photograph; a terminal shows how many there were."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda: progress.advance(task)


def _print(found: Any, as_json: bool, as_tables: Callable[[Any, Language], None]) -> None:
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        as_tables(found, language())
