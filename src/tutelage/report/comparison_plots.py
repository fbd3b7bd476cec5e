"""The pictures of a comparison: paired differences with their intervals and margins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tutelage.report.comparison import SHARES, Compared, RuleResult
from tutelage.report.comparison_words import found
from tutelage.report.figure import INK, MUTED, RULE, arm_style, drawing
from tutelage.report.headline import Movement
from tutelage.report.numbers import known, scaled
from tutelage.report.untrusted import one_line
from tutelage.types import Estimate

__all__ = ["forests"]

_ROWS = 40  # drawn in one picture
_DIFFERENCES = ("gain", "no-loss", "equivalent", "every-group")
_MARKS: dict[Movement, tuple[str, str]] = {"better": ("raft", ">"), "worse": ("sft", "<")}


@dataclass(frozen=True)
class _Row:
    """One line of a forest: a difference (new minus old, as shown), and the margins it is held against."""

    title: str
    unit: str
    higher_is_better: bool
    difference: Estimate
    told: str
    moved: Movement
    lines: tuple[float, ...]


def forests(
    compared: Sequence[Compared], rules: Sequence[RuleResult], *, width: float = 720, name: str = "forest"
) -> list[str]:
    """Paired differences with intervals, better to the right, one picture for each unit and direction.

    Margins that a rule holds a difference against are dashed strokes on its line. At most 40 lines are drawn in a
    picture; the tables have all.

    Args:
        compared: metrics or groups, drawn in this order.
        rules: the gate's results.
        width: in CSS pixels.
        name: prefix of ids in the pictures.
    """
    margins: dict[str, list[float]] = {}
    for rule in rules:
        if rule.require in _DIFFERENCES:
            for part in rule.parts:
                margins.setdefault(part.title, []).extend(x for x in (part.low, part.high) if x is not None)
    rows = [row for one in compared if (row := _row(one, margins)) is not None]
    rows.sort(key=_scale)
    units = [list(group) for _, group in groupby(rows, key=_scale)]
    return [_forest(group[:_ROWS], width, f"{name}-{place}") for place, group in enumerate(units)]


def _scale(row: _Row) -> tuple[bool, str, bool]:
    """What rows of one picture share, shares first."""
    return row.unit not in SHARES, row.unit, not row.higher_is_better


def _row(one: Compared, margins: dict[str, list[float]]) -> _Row | None:
    difference = scaled(one.change.delta, one.factor)
    if difference is None or not known(difference.value):
        return None
    title, group = one.title or one.name, one.group or "(none)"
    part = f"{title}, {one.breakdown} = {group}" if one.breakdown else title  # as the gate calls it
    lines = tuple(one.factor * line for line in margins.get(part, ()))
    title = group if one.breakdown else title
    return _Row(title, one.unit, one.higher_is_better, difference, found(one.change.delta, one.unit), one.moved, lines)


def _forest(rows: Sequence[_Row], width: float, name: str) -> str:
    height, top, bottom = 46, 4, 44
    with drawing(width, top + bottom + height * len(rows)) as canvas:
        axes = canvas.axes(10, bottom, 14, top)
        _limits(axes, rows)
        axes.set_ylim(len(rows), 0)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_yticks([])
        axes.axvline(0, color=MUTED, linewidth=1)
        for place, row in enumerate(rows):
            _draw(axes, row, place, width)
        unit = rows[0].unit if rows[0].unit not in SHARES else "points"
        axes.set_xlabel(f"worse  ←  change{f' in {one_line(unit, 30)}' if unit else ''}  →  better")
        told = "; ".join(f"{one_line(row.title, 60)}: {row.told}" for row in rows)
        return canvas.svg(name, "Paired differences, new minus old, with intervals", f"{told}.")


def _draw(axes: Axes, row: _Row, place: int, width: float) -> None:
    left, right = axes.get_xlim()
    first, last = sorted((left, right))
    low = row.difference.low if known(row.difference.low) else first
    high = row.difference.high if known(row.difference.high) else last
    arm, marker = _MARKS.get(row.moved, ("base", "o"))
    colour = arm_style(arm)[0]
    if place:
        axes.axhline(place, color=RULE, linewidth=0.6)
    told = row.told if width >= 500 else row.told.partition(" ")[0]
    room = int((width - 30) / 7.4) - len(told) - 2
    axes.text(left, place + 0.28, one_line(row.title, max(8, room)), color=INK, fontsize=13, va="center")
    axes.text(right, place + 0.28, told, color=MUTED, fontsize=12, ha="right", va="center")
    y = place + 0.7
    for line in row.lines:
        axes.plot([line, line], [place + 0.52, place + 0.9], color=INK, linewidth=1.5, linestyle=(0, (2, 1.5)))
    axes.plot([max(low, first), min(high, last)], [y, y], color=colour, linewidth=2.4, solid_capstyle="butt")
    axes.plot(row.difference.value, y, marker, markersize=8, color=colour)


def _limits(axes: Axes, rows: Sequence[_Row]) -> None:
    """Room for every interval, 0 and the margins inside, and never so close that noise looks like a difference."""
    ends = [e for row in rows for e in (row.difference.low, row.difference.value, row.difference.high, *row.lines)]
    shares = rows[0].unit in SHARES
    least = 3.0 if shares else 0.0
    low, high = (pick([sign * least, *(e for e in ends if known(e))]) for pick, sign in ((min, -1), (max, 1)))
    room = 0.06 * (high - low) or 1.0
    left, right = low - room, high + room
    axes.set_xlim(*((left, right) if rows[0].higher_is_better else (right, left)))
    axes.xaxis.set_major_locator(MaxNLocator(7))
