"""Small SVG pictures drawn by hand: a page has milliseconds, and the style sheet gives the colours, light and dark.

Nothing here carries a ``style`` attribute, which the page's policy forbids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
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
    """One curve: its name, its colour (0-3) and dash (0-3), steps [N] in order and values [N]."""

    label: str
    colour: int
    dash: int
    steps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


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
    finite = [np.isfinite(one.values) for one in series]
    steps, values = (
        np.concatenate([getattr(one, name)[kept] for one, kept in zip(series, finite, strict=True)] or [np.zeros(0)])
        for name in ("steps", "values")
    )
    if not len(values):
        return Markup("")
    across = (int(steps.min()), int(steps.max()))
    levels = ticks(float(values.min()), float(values.max()))
    drawn = [_grid(levels, across)]
    for one in series:
        style = Markup("series c{} d{}").format(one.colour % 4, one.dash % 4)
        for piece in _pieces(one):
            x, y = _x(one.steps[piece], across).tolist(), _y(one.values[piece], levels).tolist()
            if len(piece) == 1:
                drawn.append(Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="2"/>').format(style, x[0], y[0]))
            else:
                line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
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
        return [low - room, low, low + room] if math.isfinite(abs(low) + room) else [low, low]
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
        y = f"{_y(level, levels):.1f}"
        lines.append(Markup('<line class="grid" x1="48" x2="352" y1="{0}" y2="{0}"/>').format(y))
        lines.append(Markup('<text x="42" y="{}" text-anchor="end" dy="4">{}</text>').format(y, _label(level)))
    for step, anchor in (
        zip(across, ("start", "end"), strict=True) if across[0] < across[1] else ((across[0], "start"),)
    ):
        x = f"{_x(step, across):.1f}"
        lines.append(Markup('<text x="{}" y="184" text-anchor="{}">{}</text>').format(x, anchor, f"step {step}"))
    return Markup("").join(lines)


def _label(value: float) -> str:
    return f"{value:.4g}".replace("-", "\u2212")


def _x(steps: npt.ArrayLike, across: tuple[int, int]) -> npt.NDArray[np.float64]:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * _share(steps, *across)


def _y(values: npt.ArrayLike, levels: Sequence[float]) -> npt.NDArray[np.float64]:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * _share(values, levels[0], levels[-1])


def _share(x: npt.ArrayLike, low: float, high: float) -> npt.NDArray[np.float64]:
    """How far each is on the way from ``low`` to ``high``."""
    places = np.asarray(x, dtype=np.float64)
    half = high / 2 - low / 2  # halves, as the whole may overflow
    return (places / 2 - low / 2) / half if half else np.full_like(places, 0.5)


def _thinned(values: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Places of at most about 240 points: of each stretch the lowest and the highest, so that no peak is lost."""
    if len(values) <= _POINTS:
        return np.arange(len(values))
    size = math.ceil(len(values) / (_POINTS // 2))
    stretches = math.ceil(len(values) / size)
    padded = np.full(stretches * size, np.nan)
    padded[: len(values)] = values
    rows = padded.reshape(stretches, size)
    finite = np.isfinite(rows)
    lowest = np.where(finite, rows, np.inf).argmin(axis=1)
    highest = np.where(finite, rows, -np.inf).argmax(axis=1)
    starts = size * np.arange(stretches)
    return np.unique([starts + lowest, starts + highest])


def _pieces(series: Series) -> list[npt.NDArray[np.intp]]:
    """Places of the points to draw, one array a stretch of finite values."""
    places = _thinned(series.values)
    gaps = np.flatnonzero(~np.isfinite(series.values[places]))
    pieces = [piece[np.isfinite(series.values[piece])] for piece in np.split(places, gaps)]
    return [piece for piece in pieces if len(piece)]


def _ends(series: Series) -> str:
    finite = series.values[np.isfinite(series.values)]
    gone = len(series.values) - len(finite)
    words = f"{one_line(series.label, 60)}: " + (
        f"from {_label(finite[0])} to {_label(finite[-1])}" if len(finite) else "no number"
    )
    return f"{words}, {gone} not finite" if gone else words
