"""The pictures of a report: gain against retention, before and after, training curves, refinement."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tutelage.report.document import ArmResult, Curve, CurvePoint, Document, Histogram, Measure
from tutelage.report.figure import BACKGROUND, INK, MUTED, RULE, arm_style, drawing
from tutelage.report.labels import Placer
from tutelage.report.numbers import change, known, level, number, scaled
from tutelage.report.untrusted import one_line
from tutelage.types import Estimate

__all__ = ["CURVE_PANELS", "before_after", "curve_panels", "gain_retention", "similarity"]

_POINTS = 120  # drawn of one curve

CURVE_PANELS: tuple[tuple[str, str, str], ...] = (
    ("loss", "Loss", "what the optimizer sees, nats"),
    ("sft", "Answers", "cross-entropy on the training answers, nats per token"),
    ("kl", "Anchor", "divergence from the teacher on the model’s own replies"),
    ("weight", "Weight of the anchor (λ)", "times the anchor, in the loss"),
    ("grad_norm", "Gradient norm", "both parts together, before clipping"),
    ("grad_norm_sft", "Gradient norm of the answers", "before its weight and clipping"),
    ("grad_norm_kl", "Gradient norm of the anchor", "before its weight and clipping"),
    ("teacher_mass", "Teacher’s mass on kept tokens", "1 = the kept tokens are all of it"),
    ("student_mass_on_support", "Model’s mass on them", "low = the anchor cannot see much of the model"),
    ("overlap", "Kept tokens in common", "share of the likeliest tokens of both"),
    ("truncated", "Replies cut off", "share of the model’s own replies that hit the cap"),
    ("learning_rate", "Learning rate", ""),
)
"""Attribute of a :class:`CurvePoint`, title, and what it is."""


def gain_retention(document: Document, *, width: float = 720, name: str = "gain-retention") -> str:
    """Change on the domain (up) against change of general ability (right), in points, with both intervals.

    The base is the origin. An arm without both changes is left out; with none left the result is empty.

    Args:
        document: the report.
        width: in CSS pixels.
        name: prefix of ids in the picture.
    """
    arms = [(place, arm, *_xy(arm)) for place, arm in enumerate(document.arms)]
    shown = [(place, arm, x, y) for place, arm, x, y in arms if x is not None and y is not None]
    if not shown:
        return ""
    height = round(min(0.72 * width, 440) + (40 if width < 500 else 0))
    with drawing(width, height) as canvas:
        axes = canvas.axes(46, 48, 12, 12)
        _limits(axes, [x for *_, x, _ in shown], [y for *_, y in shown], head=(46 if width < 500 else 34) / height)
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.axvline(0, color=MUTED, linewidth=1)
        placer = Placer(axes, canvas.width, canvas.height)
        _quadrants(axes, placer, narrow=width < 500)
        for place, arm, x, y in shown:
            colour, marker, _ = arm_style(arm.name, place)
            axes.errorbar(
                x.value,
                y.value,
                xerr=_arms_of(x),
                yerr=_arms_of(y),
                color=colour,
                marker=marker,
                markersize=9,
                markeredgecolor=BACKGROUND,
                elinewidth=2,
                zorder=4,
            )
            placer.obstacle(x, y)
        colour, marker, _ = arm_style("base")
        axes.plot(0, 0, marker=marker, color=colour, markersize=8, markeredgecolor=BACKGROUND, zorder=5)
        placer.point(0, 0)
        for place, arm, x, y in shown:
            placer.label(x.value, y.value, one_line(arm.label, 24), arm_style(arm.name, place)[0])
        placer.label(0, 0, "Base", colour)
        axes.set_xlabel("General ability: change in points  (left = lost)")
        axes.set_ylabel("Domain: change in points", labelpad=2)
        told = "; ".join(f"{a.label}: domain {change(y)}, general ability {change(x)}" for _, a, x, y in shown)
        return canvas.svg(name, "Gain on the domain against general ability kept", f"Changes in points. {told}.")


def _xy(arm: ArmResult) -> tuple[Estimate | None, Estimate | None]:
    """Changes to draw, better pointing up and right; None where not known."""

    def of(measure: Measure | None) -> Estimate | None:
        if measure is None or measure.change is None:
            return None
        found = scaled(measure.change.delta, measure.factor if measure.higher_is_better else -measure.factor)
        return found if found is not None and known(found.value) else None

    return of(arm.general), of(arm.domain)


def _arms_of(estimate: Estimate) -> list[list[float]] | None:
    if not (known(estimate.low) and known(estimate.high)):
        return None
    return [[max(0.0, estimate.value - estimate.low)], [max(0.0, estimate.high - estimate.value)]]


def _limits(axes: Axes, xs: Sequence[Estimate], ys: Sequence[Estimate], *, head: float) -> None:
    """Room for every interval, 0 inside, and never so close that noise looks like a difference (± 5 points).

    Above the highest interval the share ``head`` of the height stays free for the words in the corners.
    """
    for estimates, set_limits in ((xs, axes.set_xlim), (ys, axes.set_ylim)):
        ends = [end for e in estimates for end in (e.low, e.value, e.high) if known(end)]
        low, high = min([-5.0, *ends]), max([5.0, *ends])
        room = 0.09 * (high - low)
        set_limits(low - room, high + (room if set_limits == axes.set_xlim else head * (high - low) / (1 - head)))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(6))


def _quadrants(axes: Axes, placer: Placer, *, narrow: bool) -> None:
    long = (
        (0.012, 0.985, "left", "top", "gained, but forgot"),
        (0.988, 0.985, "right", "top", "gained, kept or better"),
        (0.012, 0.015, "left", "bottom", "worse at both"),
        (0.988, 0.015, "right", "bottom", "kept, but nothing gained"),
    )
    short = ("gained,\nbut forgot", "gained,\nand kept", "worse\nat both", "kept, but\nno gain")
    (x_low, x_high), (y_low, y_high) = axes.get_xlim(), axes.get_ylim()
    left, below = -x_low / (x_high - x_low), -y_low / (y_high - y_low)
    for (x, y, across, along, text), brief in zip(long, short, strict=True):
        wide = left if across == "left" else 1 - left
        tall = below if along == "bottom" else 1 - below
        words = brief if narrow or wide < 0.34 else text
        if tall < (0.16 if "\n" in words else 0.07) or wide < 0.16:
            continue  # no room for words in this quadrant
        axes.text(
            x, y, words, transform=axes.transAxes, ha=across, va=along, color=MUTED, fontsize=11, fontstyle="italic"
        )
        placer.corner(x, y, words, across, along)


def before_after(document: Document, *, width: float = 720, name: str = "before-after") -> str:
    """One line per ability: the base (hollow) and the tuned model (filled) with their intervals, the change in words.

    Args:
        document: the report; its main arm is compared with the base.
        width: in CSS pixels.
        name: prefix of ids in the picture.
    """
    base, main = document.arm("base"), document.main
    if base is None or main is None or base is main:
        return ""
    pairs = [(base.domain, main.domain)]
    after = {measure.name: measure for measure in main.abilities}
    pairs += [(m, after[m.name]) for m in base.abilities if m.name in after]
    pairs = [(a, b) for a, b in pairs if a.unit == "points" and (_drawable(a) or _drawable(b))]
    if not pairs:
        return ""
    row, top, bottom = 58, 4, 34
    height = top + bottom + row * len(pairs)
    colour = arm_style(main.name, document.arms.index(main))[0]
    with drawing(width, height) as canvas:
        axes = canvas.axes(8, bottom, 14, top)
        low = min([0.0, *(100 * e.low for e in _estimates(pairs))])
        axes.set_xlim(low - 1, 101)
        axes.set_ylim(len(pairs), 0)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_yticks([])
        for place, (before, later) in enumerate(pairs):
            axes.text(
                low, place + 0.24, one_line(later.title, int((width - 150) / 8)), color=INK, fontsize=13, va="center"
            )
            delta = scaled(later.change.delta, later.factor) if later.change else None
            axes.text(101, place + 0.24, change(delta), color=MUTED, fontsize=12, ha="right", va="center")
            _level(axes, before, place + 0.52, arm_style("base")[0], hollow=True)
            _level(axes, later, place + 0.72, colour, hollow=False)
            if place:
                axes.axhline(place, color=RULE, linewidth=0.6)
        trivial = document.data.most_frequent_answer if document.data else None
        if trivial is not None and known(trivial):
            axes.plot([100 * trivial] * 2, [0.42, 0.84], color=INK, linewidth=1.5, linestyle=":")
        told = "; ".join(f"{b.title}: {_points(a)} before, {_points(b)} after" for a, b in pairs)
        return canvas.svg(name, f"Scores before and after, {main.label}", f"Points out of 100. {told}.")


def _drawable(measure: Measure) -> bool:
    return measure.estimate is not None and known(measure.estimate.value)


def _estimates(pairs: Sequence[tuple[Measure, Measure]]) -> list[Estimate]:
    found = [m.estimate for pair in pairs for m in pair if m.estimate is not None]
    return [e for e in found if known(e.low) and known(e.high)]


def _points(measure: Measure) -> str:
    return level(scaled(measure.estimate, 100))


def _level(axes: Axes, measure: Measure, y: float, colour: str, *, hollow: bool) -> None:
    estimate = scaled(measure.estimate, 100)
    if estimate is None or not known(estimate.value):
        return
    if known(estimate.low) and known(estimate.high):
        axes.plot([estimate.low, estimate.high], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
    face = BACKGROUND if hollow else colour
    axes.plot(estimate.value, y, "o", markersize=8, markerfacecolor=face, markeredgecolor=colour, markeredgewidth=2)


def curve_panels(document: Document, *, width: float = 330, height: float = 170) -> list[tuple[str, str, str]]:
    """One small picture per logged quantity that any arm has: (title, what it is, SVG)."""
    panels = []
    for attribute, title, meaning in CURVE_PANELS:
        series = [(curve, _series(curve, attribute)) for curve in document.curves]
        series = [(curve, points) for curve, points in series if points]
        if series:
            panels.append((title, meaning, _panel(document, attribute, title, series, (width, height))))
    return panels


def _series(curve: Curve, attribute: str) -> list[tuple[int, float]]:
    value: Callable[[CurvePoint], float | None] = lambda point: getattr(point, attribute)  # noqa: E731
    return [(p.step, v) for p in curve.points if (v := value(p)) is not None and math.isfinite(v)]


def _panel(
    document: Document,
    attribute: str,
    title: str,
    series: Sequence[tuple[Curve, list[tuple[int, float]]]],
    size: tuple[float, float],
) -> str:
    names = [arm.name for arm in document.arms]
    told = []
    with drawing(*size) as canvas:
        axes = canvas.axes(48, 24, 10, 8)
        for curve, points in series:
            place = names.index(curve.arm) if curve.arm in names else len(names)
            colour, marker, dashes = arm_style(curve.arm, place)
            steps, values = _thinned(points)
            if attribute == "learning_rate":
                axes.plot(steps, values, color=colour, linewidth=1.8, linestyle=dashes)
            elif len(steps) < 12:
                axes.plot(steps, values, color=colour, marker=marker, markersize=4, linewidth=1.6, linestyle=dashes)
            else:
                axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.3)
                axes.plot(steps, _smooth(values), color=colour, linewidth=1.8, linestyle=dashes)
            told.append(
                f"{one_line(curve.arm, 24)}: {_brief(points[0][1])} at step {points[0][0]}, "
                f"{_brief(points[-1][1])} at step {points[-1][0]}"
            )
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.margins(x=0.02, y=0.12)
        if attribute in ("overlap", "truncated"):
            axes.set_ylim(-0.03, 1.03)
        if attribute == "learning_rate":
            axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
            axes.yaxis.get_offset_text().set_color(MUTED)
            axes.yaxis.get_offset_text().set_fontsize(10)
        else:
            axes.ticklabel_format(axis="y", useOffset=False)
        return canvas.svg(f"curve-{attribute.replace('_', '-')}", f"{title} by step", "; ".join(told) + ".")


def _brief(value: float) -> str:
    return f"{value:.3g}".replace("-", "\u2212")


def _thinned(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """At most ``_POINTS`` means over runs of equal length, each at its last step."""
    stride = math.ceil(len(points) / _POINTS)
    runs = [points[start : start + stride] for start in range(0, len(points), stride)]
    return [run[-1][0] for run in runs], [sum(v for _, v in run) / len(run) for run in runs]


def _smooth(values: Sequence[float]) -> list[float]:
    """Centred moving average over about a tenth of the curve, over what there is of it near the ends."""
    half = max(1, len(values) // 20)
    windows = [values[max(0, place - half) : place + half + 1] for place in range(len(values))]
    return [sum(window) / len(window) for window in windows]


def similarity(histogram: Histogram, threshold: float | None, *, width: float = 380, name: str = "similarity") -> str:
    """Rewrites by cosine to the reference: those that passed the filter and, hatched, those that did not."""
    edges, passed, failed = histogram.edges, histogram.passed, histogram.failed
    if not sum(passed) + sum(failed):
        return ""
    with drawing(width, 220) as canvas:
        axes = canvas.axes(40, 44, 10, 14)
        widths = [b - a for a, b in pairwise(edges)]
        axes.bar(edges[:-1], passed, widths, align="edge", color=arm_style("raft")[0], edgecolor=BACKGROUND)
        for start, wide, foot, n in zip(edges[:-1], widths, passed, failed, strict=True):
            if n:  # an empty bar would still draw its edge
                axes.bar(start, n, wide, foot, align="edge", color="none", edgecolor=MUTED, hatch="////")
        axes.grid(visible=False, axis="x")
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set_xlabel("Cosine of rewrite and reference")
        first = next(i for i, n in enumerate(zip(passed, failed, strict=True)) if sum(n))
        axes.set_xlim(max(0.0, edges[first] - 0.1), edges[-1])
        if threshold is not None:
            axes.axvline(threshold, color=INK, linewidth=1.5, linestyle="--")
            axes.text(
                threshold, 1.02, f"needed: {number(threshold, 2)}", transform=axes.get_xaxis_transform(),
                ha="center", va="bottom", color=INK, fontsize=11,
            )  # fmt: skip
        told = f"{sum(passed)} rewrites passed the filter, {sum(failed)} did not."
        return canvas.svg(name, "Similarity of rewrites to their references", told)
