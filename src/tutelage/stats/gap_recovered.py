"""How much of the gap between a weak and a strong system a third one closes: a ratio of paired differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, ShapeError
from tutelage.stats.checks import Labels, cluster_codes, finite_array
from tutelage.stats.intervals import unseen_share
from tutelage.stats.resampling import check_settings, cluster_table, interval_around, resampled_totals
from tutelage.types import Estimate

__all__ = ["GapRecovered", "performance_gap_recovered"]

Floats = npt.NDArray[np.float64]
_LEAST_GAP = 1e-12


@dataclass(frozen=True)
class GapRecovered:
    """Performance gap recovered, and what it is a share of.

    ``recovered`` is 1 when the gap is closed, 0 when the student is no better than its supervisor, below 0 when worse;
    None without a gap (``defined`` False). ``gap`` is ceiling minus weak and ``gain`` student minus weak, positive when
    better. ``non_positive`` is the share of resamples without a gap: where it is above 5 % the interval of
    ``recovered`` has no ends, because the ratio could be anything. Never print the ratio without the gap.
    """

    recovered: Estimate | None
    gap: Estimate
    gain: Estimate
    non_positive: float

    @property
    def defined(self) -> bool:
        """Whether there is a gap to recover."""
        return self.recovered is not None


def performance_gap_recovered(
    weak: npt.ArrayLike,
    student: npt.ArrayLike,
    ceiling: npt.ArrayLike,
    *,
    metric: Callable[[Floats], float] | None = None,
    higher_is_better: bool = True,
    cluster: Labels | None = None,
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> GapRecovered:
    r"""Bootstrap of :math:`(m_{student}-m_{weak})/(m_{ceiling}-m_{weak})` on the same items.

    Every resample draws whole clusters once for all three systems and forms the ratio anew; resamples without a gap are
    left out of the ratio's interval and counted. Intervals are expanded percentiles, as in
    :func:`tutelage.stats.paired_bootstrap`. Where two systems have equal scores on every item (or differ by the same on
    all) resamples cannot but agree, be it the student and its supervisor or the student and the ceiling. A mean's
    interval then allows for items not seen: of C clusters a share of up to Wilson's :math:`z^2/(C+z^2)` may be
    otherwise, each by as much as scores can differ. What that would do to another ``metric`` is not known: its interval
    then has no ends. A metric whose lower values are better is turned round.

    Args:
        weak: values of the supervisor [N], or what ``metric`` reads of it [N, C], such as truth and prediction.
        student: of the student trained by it.
        ceiling: of the student trained on the truth.
        metric: rows of one system [N, C] to a number, such as balanced accuracy; None: the mean of [N] values.
        higher_is_better: direction of the metric.
        cluster: what is independent [N]; None: every item.
        level: confidence level, in (0, 1).
        resamples: how many; each calls ``metric`` three times.
        seed: of the draws.

    Raises:
        DataError: no items, or a metric that is not finite on all of them.
        ShapeError: systems of different shape.
        NumericalError: NaN or infinity.
        RangeError: fewer than 100 resamples, a level outside (0, 1).

    Source: performance gap recovered, arXiv 2312.09390, section 3; interval: own choice.

    Example:
        >>> found = performance_gap_recovered([0, 0, 0, 1] * 9, [0, 0, 1, 1] * 9, [0, 1, 1, 1] * 9)
        >>> found.recovered.value, found.gap.value, found.non_positive
        (0.5, 0.5, 0.0)
    """
    check_settings(resamples, level)
    systems = _systems(weak, student, ceiling, metric)
    codes = cluster_codes(cluster, systems.shape[1])
    sign = 1.0 if higher_is_better else -1.0
    rng = np.random.default_rng(seed)
    if metric is None:
        drawn = sign * _means(systems[:, :, 0], None if cluster is None else codes, resamples, rng)
        observed = sign * systems[:, :, 0].mean(axis=1)
    else:
        drawn = sign * _metrics(systems, metric, codes, resamples, rng)
        observed = sign * np.array([metric(rows) for rows in systems])
    if not np.isfinite(observed).all():
        raise DataError("the metric is not finite on all items", hint="check that every class occurs")
    clusters = int(codes.max()) + 1

    with_interval = partial(interval_around, level=level, n=len(codes), clusters=clusters, seed=seed)
    gain, gap = (float(observed[k] - observed[0]) for k in (1, 2))
    gains, gaps = drawn[:, 1] - drawn[:, 0], drawn[:, 2] - drawn[:, 0]
    positive = gaps > _LEAST_GAP
    ratios = np.divide(gains, gaps, out=np.full(len(gaps), np.nan), where=positive)
    unseen, most = math.inf, math.inf
    if metric is None:
        most = float(np.ptp([0.0, 1.0, *systems.ravel()]))
        unseen = most * unseen_share(clusters, level)
    gain_found = _allowing(with_interval(gain, gains), gains, unseen, most)
    recovered = with_interval(gain / gap, ratios) if gap > _LEAST_GAP else None
    if recovered is not None and _settled(gains):
        low, high = (end / gap for end in (gain_found.low, gain_found.high))
        recovered = replace(recovered, low=min(recovered.low, low), high=max(recovered.high, high))
    elif recovered is not None and _settled(gaps - gains):  # the student is the ceiling on every item
        low, high = recovered.value - unseen / gap, recovered.value + unseen / gap
        recovered = replace(recovered, low=min(recovered.low, low), high=max(recovered.high, high))
    return GapRecovered(
        recovered=recovered,
        gap=_allowing(with_interval(gap, gaps), gaps, unseen, most),
        gain=gain_found,
        non_positive=float(1 - positive.mean()),
    )


def _allowing(found: Estimate, drawn: Floats, unseen: float, most: float) -> Estimate:
    """``found``, or where all resamples are the same ``unseen`` to either side of it, within what is possible."""
    if not _settled(drawn):
        return found
    low, high = max(-most, min(found.low, found.value - unseen)), min(most, max(found.high, found.value + unseen))
    return replace(found, low=low, high=high, method=f"{found.method}, all equal")


def _settled(drawn: Floats) -> bool:
    """Whether a difference is the same in all resamples in which it is defined."""
    defined = drawn[np.isfinite(drawn)]
    return defined.size > 0 and float(np.ptp(defined)) <= _LEAST_GAP


def _systems(
    weak: npt.ArrayLike, student: npt.ArrayLike, ceiling: npt.ArrayLike, metric: Callable[[Floats], float] | None
) -> Floats:
    """All three, [3, N, C]."""
    found = [finite_array(one, name) for one, name in ((weak, "weak"), (student, "student"), (ceiling, "ceiling"))]
    if len({one.shape for one in found}) != 1 or found[0].ndim not in ((1,) if metric is None else (1, 2)):
        shapes = ", ".join(str(one.shape) for one in found)
        raise ShapeError(f"weak, student and ceiling are {shapes}", hint="the same items of all three, [N]; align them")
    if found[0].size == 0:
        raise DataError("there are no items")
    stacked = np.stack(found)
    return stacked if stacked.ndim == 3 else stacked[:, :, None]


def _means(values: Floats, codes: npt.NDArray[np.intp] | None, resamples: int, rng: np.random.Generator) -> Floats:
    """Mean of each of the three systems [B, 3]."""
    table = cluster_table(np.column_stack([*values, np.ones(values.shape[1])]), codes)
    totals = resampled_totals(table, resamples, rng)
    means: Floats = totals[:, :3] / totals[:, 3:]
    return means


def _metrics(
    systems: Floats,
    metric: Callable[[Floats], float],
    codes: npt.NDArray[np.intp],
    resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """The metric of each system in each resample [B, 3]; NaN where it is not defined."""
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    found = np.empty((resamples, 3))
    for row in range(resamples):
        drawn = rng.integers(len(sizes), size=len(sizes))
        times = sizes[drawn]
        within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        picked = order[np.repeat(starts[drawn], times) + within]
        found[row] = [metric(rows[picked]) for rows in systems]
    return np.where(np.isfinite(found), found, np.nan)
