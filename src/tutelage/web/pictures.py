"""Small SVG pictures drawn by hand: a page has milliseconds, and the style sheet gives the colours, light and dark.

Nothing here carries a ``style`` attribute, which the page's policy forbids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tutelage.report.numbers import number
from tutelage.report.untrusted import one_line

__all__ = ["Series", "curve_panel", "interval_strip", "ticks"]

_POINTS = 240  # drawn of one curve
_WIDTH, _HEIGHT = 360.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 8.0, 8.0, 24.0
_STRIP = 240.0


@dataclass(frozen=True)
class Series:
    """One curve: its name, its colour (0-3) and dash (0-3), and (step, value) in order."""

    label: str
    colour: int
    dash: int
    points: tuple[tuple[int, float], ...]


def interval_strip(value: float, low: float, high: float, margin: float | None = None) -> Markup:
    """A value as a dot on its interval, with a line at 0 and, dashed, the margins that the rule allows.

    Args:
        value: the estimate.
        low: lower end of its interval; infinite ends reach the picture's edge.
        high: upper end.
        margin: of the rule, drawn on both sides of 0.
    """
    marks = [0.0, *((margin, -margin) if margin else ())]
    ends = [x for x in (value, low, high, *marks) if math.isfinite(x)]
    scale = max(map(abs, ends)) or 1.0  # so that nothing overflows
    first, last = min(ends) / scale, max(ends) / scale
    room = 0.08 * (last - first) or 1.0
    first, last = first - room, last + room

    def at(x: float) -> str:
        return f"{_STRIP * (min(max(x / scale, first), last) - first) / (last - first):.1f}"

    low, high = (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
    words = f"{number(value, 3, sign=True)}, interval {number(low, 3)} to {number(high, 3)}"
    drawn = [Markup('<line class="zero" x1="{0}" x2="{0}" y1="2" y2="26"/>').format(at(0.0))]
    drawn += [Markup('<line class="margin" x1="{0}" x2="{0}" y1="2" y2="26"/>').format(at(x)) for x in marks[1:]]
    drawn.append(Markup('<line class="whisker" x1="{}" x2="{}" y1="14" y2="14"/>').format(at(low), at(high)))
    if math.isfinite(value):
        drawn.append(Markup('<circle class="dot" cx="{}" cy="14" r="5"/>').format(at(value)))
    return Markup('<svg class="strip" viewBox="0 0 240 28" role="img" aria-label="{}">{}</svg>').format(
        words, Markup("").join(drawn)
    )


def curve_panel(title: str, series: Sequence[Series]) -> Markup:
    """Curves over steps in one picture; empty when no value is finite. What is not finite leaves a gap.

    Args:
        title: what the values are.
        series: the curves.
    """
    finite = [(step, value) for one in series for step, value in one.points if math.isfinite(value)]
    if not finite:
        return Markup("")
    steps, values = [step for step, _ in finite], [value for _, value in finite]
    across = (min(steps), max(steps))
    levels = ticks(min(values), max(values))
    drawn = [_grid(levels, across)]
    for one in series:
        style = Markup("series c{} d{}").format(one.colour % 4, one.dash % 4)
        for piece in _pieces(_thinned(one.points)):
            if len(piece) == 1:
                x, y = _place(*piece[0], across, levels)
                drawn.append(Markup('<circle class="{}" cx="{}" cy="{}" r="2"/>').format(style, x, y))
            else:
                line = " ".join(",".join(_place(*point, across, levels)) for point in piece)
                drawn.append(Markup('<polyline class="{}" points="{}"/>').format(style, line))
    ends = "; ".join(_ends(one) for one in series)
    return Markup('<svg class="curve" viewBox="0 0 360 190" role="img" aria-label="{}">{}</svg>').format(
        f"{one_line(title, 60)} over steps {across[0]} to {across[1]}. {ends}", Markup("").join(drawn)
    )


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``.

    Example:
        >>> ticks(0.13, 0.92)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        >>> ticks(5.0, 5.0)
        [4.0, 5.0, 6.0]
    """
    if low == high:
        room = abs(low) / 5 or 1.0
        return [low - room, low, low + room] if math.isfinite(low + room) else [low, low]
    rough = high / about - low / about
    power = 10.0 ** math.floor(math.log10(rough)) if math.isfinite(rough) and rough > 1e-300 else rough
    step = next((factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough), rough)
    if not math.isfinite(step) or abs(low) / step > 1e12 or abs(high) / step > 1e12:
        return [low, high]
    places = range(math.floor(low / step), math.ceil(high / step) + 1)
    found = [round(n * step, 12) if step > 1e-9 else n * step for n in places]
    return found if all(map(math.isfinite, found)) else [low, high]


def _grid(levels: Sequence[float], across: tuple[int, int]) -> Markup:
    lines = []
    for level in levels:
        y = _place(across[0], level, across, levels)[1]
        lines.append(Markup('<line class="grid" x1="48" x2="352" y1="{0}" y2="{0}"/>').format(y))
        lines.append(Markup('<text x="42" y="{}" text-anchor="end" dy="4">{}</text>').format(y, _label(level)))
    for step, anchor in (
        zip(across, ("start", "end"), strict=True) if across[0] < across[1] else ((across[0], "start"),)
    ):
        x = _place(step, levels[0], across, levels)[0]
        lines.append(Markup('<text x="{}" y="184" text-anchor="{}">{}</text>').format(x, anchor, f"step {step}"))
    return Markup("").join(lines)


def _label(value: float) -> str:
    return f"{value:.4g}".replace("-", "\u2212")


def _place(step: int, value: float, across: tuple[int, int], levels: Sequence[float]) -> tuple[str, str]:
    def share(x: float, low: float, high: float) -> float:
        half = high / 2 - low / 2  # halves, as the whole may overflow
        return (x / 2 - low / 2) / half if half else 0.5

    x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * share(step, *across)
    y = _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share(value, levels[0], levels[-1])
    return f"{x:.1f}", f"{y:.1f}"


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most about 240 points: of each stretch the lowest and the highest, so that no peak is lost."""
    if len(points) <= _POINTS:
        return list(points)
    size = math.ceil(len(points) / (_POINTS // 2))
    kept: list[tuple[int, float]] = []
    for start in range(0, len(points), size):
        part = points[start : start + size]
        finite = [point for point in part if math.isfinite(point[1])]
        if not finite:
            kept.append(part[0])
            continue
        ends = {min(finite, key=lambda point: point[1]), max(finite, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


def _pieces(points: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """The stretches of finite values."""
    pieces: list[list[tuple[int, float]]] = [[]]
    for point in points:
        if math.isfinite(point[1]):
            pieces[-1].append(point)
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _ends(series: Series) -> str:
    finite = [value for _, value in series.points if math.isfinite(value)]
    gone = len(series.points) - len(finite)
    words = f"{one_line(series.label, 60)}: " + (
        f"from {_label(finite[0])} to {_label(finite[-1])}" if finite else "no number"
    )
    return f"{words}, {gone} not finite" if gone else words
