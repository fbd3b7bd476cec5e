"""What missing scores could change: the estimate with all of them at one end of the scale, and at the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tutelage.stats.alignment import Scale, align, scale_of
from tutelage.stats.comparison import compare, estimate
from tutelage.types import Estimate, Scores

__all__ = ["MissingBounds", "missing_bounds"]


@dataclass(frozen=True)
class MissingBounds:
    """The estimate with every missing score where it makes it smallest (``low``) and largest (``high``).

    Whatever the missing scores are, the estimate lies between the two values, and with its sampling error between
    ``low.low`` and ``high.high``. ``missing`` counts items without a score (on either side), of ``n``.
    """

    low: Estimate
    high: Estimate
    missing: int
    n: int


def missing_bounds(
    a: Scores,
    b: Scores | None = None,
    *,
    scale: Scale | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> MissingBounds:
    """Bounds of a mean, or of the difference of two systems on their common items, over all missing scores (NaN).

    Nothing is assumed about why scores are missing. Bounds are numeric: ``low`` takes the lowest scores for the system
    and, in a difference, the lowest for b and the highest for a, whichever direction is better.

    Args:
        a: scores of the system, or of the first of two.
        b: scores of the second.
        scale: lowest and highest possible score; needed unless all scores are 0 or 1.
        level: confidence level.
        seed: see :func:`tutelage.stats.compare`.
        resamples: see :func:`tutelage.stats.compare`.

    Raises:
        DataError: no items, or no common ones.
        NumericalError: an infinite score.
        RangeError: no scale where one is needed, a score outside it.

    Source: worst-case bounds of Manski 1989.

    Example:
        >>> found = missing_bounds(Scores("m", ("x", "y", "z", "w"), np.array([1.0, 0.0, 1.0, np.nan])))
        >>> found.low.value, found.high.value, found.missing
        (0.5, 0.75, 1)
    """
    if b is None:
        ends = _filled(a, scale_of((a.values,), scale)) if np.isnan(a.values).any() else (a, a)
        low, high = (estimate(end, level=level) for end in ends)
        return MissingBounds(low, high, int(np.isnan(a.values).sum()), len(a.ids))
    known = (1.0 - np.isnan(side.values) for side in (a, b))  # 0 where a score is missing: aligned like the scores
    present = align(*(replace(side, values=one) for side, one in zip((a, b), known, strict=True)))
    gaps = int(((present.a == 0) | (present.b == 0)).sum())
    both = scale_of((a.values, b.values), scale) if gaps else (0.0, 0.0)
    (a_low, a_high), (b_low, b_high) = _filled(a, both), _filled(b, both)
    low = compare(a_high, b_low, level=level, seed=seed, resamples=resamples).delta
    high = compare(a_low, b_high, level=level, seed=seed, resamples=resamples).delta
    return MissingBounds(low, high, gaps, len(present.ids))


def _filled(scores: Scores, ends: Scale) -> tuple[Scores, Scores]:
    low, high = (replace(scores, values=np.where(np.isnan(scores.values), end, scores.values)) for end in ends)
    return low, high
