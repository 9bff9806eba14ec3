"""Line charts as SVG text: for pictures of measurements in cards and documents, without a plotting library.

Rule: what is drawn is numbers and words, nothing else; the same numbers give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 640, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 44, 52
_COLOURS = ("#1f6fb4", "#c4541a", "#2f8f4e", "#7a4fa3", "#8a6d1b")
_TICKS = 5
_FONT = 'font-family="sans-serif" font-size="13"'


def line_chart(
    title: str,
    x_label: str,
    y_label: str,
    lines: Mapping[str, Points],
    *,
    log_x: bool = False,
    y_from: float = 0.0,
    diagonal: bool = False,
) -> str:
    """An SVG with one line per name. y goes from `y_from` to 1, x from the least value (0 unless `log_x`) to 1.

    `diagonal` draws where x = y, which is where a good reliability plot lies.
    """
    least = min((x for points in lines.values() for x, _ in points if x > 0), default=1e-3) if log_x else 0.0

    def place(x: float, y: float) -> tuple[float, float]:
        share = 1 - math.log10(max(x, least)) / math.log10(least) if log_x and least < 1 else x
        height = (min(max(y, y_from), 1.0) - y_from) / (1 - y_from)
        across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return round(_LEFT + share * across, 1), round(_HEIGHT - _BOTTOM - height * down, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_WIDTH / 2, 20, title, "middle", 'font-weight="bold"'),
        _text((_WIDTH + _LEFT) / 2, _HEIGHT - 10, x_label, "middle"),
        _text(16, _HEIGHT / 2, y_label, "middle", f'transform="rotate(-90 16 {_HEIGHT // 2})"'),
    ]
    for value in _x_ticks(least, log_x):
        (x, bottom), (_, top) = place(value, y_from), place(value, 1.0)
        parts += [_rule(x, bottom, x, top), _text(x, bottom + 18, f"{value:g}", "middle")]
    for step in range(_TICKS + 1):
        value = y_from + (1 - y_from) * step / _TICKS
        (left, y), (right, _) = place(least, value), place(1.0, value)
        parts += [_rule(left, y, right, y), _text(left - 6, y + 4, f"{value:.2f}", "end")]
    if diagonal:
        low = max(y_from, least)
        parts.append(_rule(*place(low, low), *place(1.0, 1.0), "#999"))
    for number, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(_WIDTH - _RIGHT - 8, _HEIGHT - _BOTTOM - 10 - 18 * number, name, "end", f'fill="{colour}"'))
    return "\n".join([*parts, "</svg>\n"])


def _x_ticks(least: float, log_x: bool) -> list[float]:
    if log_x:
        return [10.0**power for power in range(math.ceil(math.log10(least) - 1e-9), 1)]
    return [step / _TICKS for step in range(_TICKS + 1)]


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str = "#ddd") -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"/>'


def _text(x: float, y: float, words: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" {more}>{escape(words)}</text>'
