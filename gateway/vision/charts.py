"""Pictures of measurements, by matplotlib: ROC of faces; reliability and confused characters of plates.

Rule: the only importer of matplotlib, and only when a picture is asked for: the daemon does not need it. No window, no
network, no font but the one it brings: that knows no Chinese, so a province is drawn as its two letters of GB/T 2260
and another character of plates in pinyin, the same on every machine. The same numbers give the same file.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gateway.errors import Rejected, StoreError
from gateway.extras import install
from gateway.text import Text
from gateway.vision.plate_accuracy import Bin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL: Final = install("charts")
_SUFFIXES: Final = (".png", ".svg", ".pdf")
_MOST_CHARACTERS: Final = 24  # in the confusion: more cannot be read
_LETTERS: Final = """
京 BJ 津 TJ 冀 HE 晋 SX 蒙 NM 辽 LN 吉 JL 黑 HL 沪 SH 苏 JS 浙 ZJ 皖 AH 闽 FJ 赣 JX 鲁 SD 豫 HA 鄂 HB 湘 HN 粤 GD 桂 GX
琼 HI 渝 CQ 川 SC 贵 GZ 云 YN 藏 XZ 陕 SN 甘 GS 青 QH 宁 NX 新 XJ
学 xue 警 jing 港 gang 澳 ao 挂 gua 使 shi 领 ling 民 min 航 hang 应 ying 急 ji
"""
_LATIN: Final[dict[str, str]] = dict(pair.split() for pair in re.findall(r"\S \w+", _LETTERS))
_STYLE: Final = {"svg.hashsalt": "compound-gateway", "savefig.dpi": 120, "font.size": 10}
# Nothing of the day, the program or its makers' address is written beside the drawing.
_UNTOLD: Final = {
    ".png": ("Software",),
    ".svg": ("Date", "Creator", "Format", "Type"),
    ".pdf": ("CreationDate", "Creator", "Producer"),
}


def check(path: Path) -> None:
    """Whether a picture can be drawn there, before anything is measured for it. Raises `Rejected`."""
    if path.suffix.lower() not in _SUFFIXES:
        raise Rejected(
            Text("无法绘制 {name}", "{name} cannot be drawn").with_(name=path.name),
            hint=Text("文件名须以 {known} 结尾", "its name must end in {known}").with_(known=", ".join(_SUFFIXES)),
        )
    try:
        importlib.import_module("matplotlib")
    except ImportError as error:
        raise Rejected(
            Text("绘图需要 matplotlib，尚未安装", "pictures need matplotlib, which is not installed"),
            hint=Text("请执行：{command}", "run: {command}").with_(command=INSTALL),
        ) from error


def draw_faces(path: Path, title: str, curves: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """The receiver operating characteristic: true matches at each rate of false matches. Raises `StoreError`."""
    figure = _figure(6.4, 4.2)
    axes = figure.subplots()
    for name, points in curves.items():
        axes.plot(*zip(*points, strict=True), label=name)
    axes.set(title=title, xlabel="false match rate", ylabel="true match rate", xscale="log", ylim=(0, 1.01))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    _save(figure, path)


def draw_plates(path: Path, title: str, bins: Sequence[Bin], pairs: Counter[tuple[str, str]]) -> None:
    """Reliability on the left, confused characters on the right. Raises `StoreError`."""
    figure = _figure(11, 5)
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    _draw_reliability(left, bins)
    _draw_confusion(right, pairs)
    _save(figure, path)


def label(character: str) -> str:
    """A character of a plate in letters that every font has."""
    return _LATIN.get(character, character)


def _draw_reliability(axes: Axes, bins: Sequence[Bin]) -> None:
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1)
    axes.plot([one.said for one in bins], [one.true for one in bins], marker="o")
    for one in bins:
        axes.annotate(str(one.reads), (one.said, one.true), (4, -12), textcoords="offset points", fontsize=8)
    axes.set(title="Reliability (number of reads)", xlabel="confidence said", ylabel="share that is right")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    axes.grid(alpha=0.3)


def _draw_confusion(axes: Axes, pairs: Counter[tuple[str, str]]) -> None:
    wrong = Counter({pair: count for pair, count in pairs.items() if pair[0] != pair[1]})
    total = sum(pairs.values())
    axes.set(title=f"Confused characters ({sum(wrong.values())} of {total})", xlabel="read (two letters: a province)")
    axes.set(ylabel="on the plate")
    ranked: Counter[str] = Counter()
    for (true, read), count in wrong.items():
        ranked.update({true: count, read: count})
    shown = sorted(character for character, _ in ranked.most_common(_MOST_CHARACTERS))
    if not shown:
        axes.text(0.5, 0.5, "none", ha="center", transform=axes.transAxes)
        axes.set(xticks=[], yticks=[])
        return
    counts = np.array([[wrong[true, read] for read in shown] for true in shown])
    axes.imshow(counts, cmap="Oranges")
    for row, column in zip(*counts.nonzero(), strict=True):
        colour = "white" if counts[row, column] > counts.max() / 2 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8, color=colour)
    names = [label(character) for character in shown]
    axes.set_xticks(range(len(shown)), names, fontsize=7)
    axes.set_yticks(range(len(shown)), names, fontsize=7)


def _figure(width: float, height: float) -> Figure:
    """A figure of inches that belongs to no window: without pyplot there is no state and no display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    from matplotlib import rc_context

    style: dict[Any, Any] = dict(_STYLE)
    untold = dict.fromkeys(_UNTOLD[path.suffix.lower()])
    try:
        with rc_context(style):
            figure.savefig(path, metadata=untold)
    except OSError as error:
        raise StoreError(
            Text("无法写入 {path}：{why}", "cannot write {path}: {why}").with_(path=path, why=error.strerror),
            hint=Text("目录存在且可写吗？", "does the folder exist, and may it be written?"),
        ) from error
