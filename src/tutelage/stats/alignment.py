"""Two systems' scores brought onto the same items, and what to do where one is missing."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, NumericalError, RangeError
from tutelage.stats.checks import unusable
from tutelage.types import FloatArray, Scores

__all__ = ["Aligned", "Missing", "Scale", "UnmatchedWarning", "align", "scale_of"]

Missing = Literal["raise", "drop", "worst"]
Scale = tuple[float, float]
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

_TOLERATED_SHARE = 0.01


class UnmatchedWarning(UserWarning):
    """More than 1 % of one side's items have no partner on the other."""


@dataclass(frozen=True)
class Aligned:
    """Both systems on their common items, in the order of the first.

    ``ids`` [N], ``a`` [N], ``b`` [N] float64, ``clusters`` [N] cluster labels or None when no two items share one;
    ``only_a`` and ``only_b`` are the ids without a partner; ``dropped`` those set aside because a score was NaN, and
    ``filled`` those whose missing score was taken for the worst.
    """

    ids: tuple[str, ...]
    a: Floats
    b: Floats
    clusters: tuple[str, ...] | None
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()

    @property
    def proportion(self) -> bool:
        """True when every score of both is 0 or 1."""
        return bool(np.isin(self.a, (0, 1)).all() and np.isin(self.b, (0, 1)).all())

    def scores(self, of: Scores) -> tuple[Scores, Scores]:
        """Both sides as :class:`Scores` of the metric of ``of``, for functions that take those; without outputs."""
        both = (replace(of, ids=self.ids, values=v, clusters=self.clusters, outputs=None) for v in (self.a, self.b))
        first, second = both
        return first, second


def align(a: Scores, b: Scores, *, missing: Missing = "raise", scale: Scale | None = None) -> Aligned:
    """The common items of two sets of scores of one metric.

    Duplicate ids cannot occur: :class:`tutelage.types.Scores` refuses them. A missing score (NaN) is never silently a
    zero. What the two policies below hide, :func:`tutelage.stats.missing_bounds` shows.

    Args:
        a: scores of the first system.
        b: scores of the second.
        missing: what to do with an item whose score is NaN on either side: refuse, leave the item out, or give the
            system the worst score of the scale. Ids left out or filled are listed in the result.
        scale: lowest and highest possible score; needed for ``"worst"`` unless all scores are 0 or 1.

    Raises:
        DataError: different metrics or versions, no common item, or an item in different clusters.
        NumericalError: a NaN, unless there is a policy for it; an infinity always.
        RangeError: an unknown policy, no scale where one is needed, a score outside it.

    Warns:
        UnmatchedWarning: more than 1 % of either side is unmatched.

    Source: own derivation.

    Example:
        >>> one = Scores("m", ("x", "y"), np.array([0.0, 1.0]))
        >>> two = Scores("m", ("y", "z"), np.array([1.0, 1.0]))
        >>> with warnings.catch_warnings(action="ignore"):
        ...     align(one, two).only_b
        ('z',)
    """
    if missing not in ("raise", "drop", "worst"):
        raise RangeError(f"no policy for missing scores is called {missing!r}", hint="use 'raise', 'drop' or 'worst'")
    _same_metric(a, b)
    rows_a, rows_b = _places(a, b)
    ids = _at(a.ids, rows_a)
    left, right = a.values[rows_a].astype(np.float64), b.values[rows_b].astype(np.float64)
    clusters = _clusters(a, b, rows_a, rows_b, ids)
    gaps = _gaps(ids, left, right, a.metric, missing)
    dropped: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    if gaps.any() and missing == "worst":
        worst = scale_of((left, right), scale)[0 if a.higher_is_better else 1]
        filled = _at(ids, np.flatnonzero(gaps))
        left, right = (np.where(np.isnan(side), worst, side) for side in (left, right))
    elif gaps.any():
        kept = np.flatnonzero(~gaps)
        dropped = _at(ids, np.flatnonzero(gaps))
        ids, left, right = _at(ids, kept), left[kept], right[kept]
        clusters = None if clusters is None else _at(clusters, kept)
    if clusters is not None and len(set(clusters)) == len(clusters):
        clusters = None
    only_a, only_b = _unmatched(a, rows_a), _unmatched(b, rows_b)
    if len(only_a) > _TOLERATED_SHARE * len(a.ids) or len(only_b) > _TOLERATED_SHARE * len(b.ids):
        text = f"{a.metric}: {len(only_a)} of {len(a.ids)} and {len(only_b)} of {len(b.ids)} items have no partner"
        warnings.warn(text, UnmatchedWarning, stacklevel=2)
    return Aligned(ids, left, right, clusters, only_a, only_b, dropped, filled)


def scale_of(sides: Sequence[FloatArray], scale: Scale | None) -> Scale:
    """The given scale, or 0 to 1 where every score that is there is 0 or 1.

    Raises:
        RangeError: neither, an empty scale, or a score outside it.
    """
    present = np.concatenate([side[~np.isnan(side)] for side in sides])
    if scale is None:
        if present.size and np.isin(present, (0, 1)).all():
            return 0.0, 1.0
        raise RangeError(
            "what the worst score is cannot be read off the scores", hint="pass scale=(LOWEST, HIGHEST) of the metric"
        )
    low, high = float(scale[0]), float(scale[1])
    if not (np.isfinite([low, high]).all() and low < high):
        raise RangeError(f"a scale from {low} to {high}")
    if present.size and not (low <= present.min() and present.max() <= high):
        raise RangeError(f"scores from {present.min():g} to {present.max():g} on a scale from {low:g} to {high:g}")
    return low, high


def _same_metric(a: Scores, b: Scores) -> None:
    for what in ("metric", "version", "higher_is_better"):
        one, two = getattr(a, what), getattr(b, what)
        if one != two:
            raise DataError(
                f"scores that differ in {what} cannot be compared: {one!r} and {two!r}",
                hint="measure both systems with the same version of Tutelage",
            )


def _places(a: Scores, b: Scores) -> tuple[Places, Places]:
    """Where the common items stand in a and in b, in the order of a."""
    if a.ids and a.ids == b.ids:
        return np.arange(len(a.ids)), np.arange(len(a.ids))
    place = {item: i for i, item in enumerate(b.ids)}
    found = np.fromiter((place.get(item, -1) for item in a.ids), dtype=np.intp, count=len(a.ids))
    rows = np.flatnonzero(found >= 0)
    if not rows.size:
        raise DataError(
            f"{a.metric}: the two systems share no item ({len(a.ids)} and {len(b.ids)})",
            hint="score both on the same rows; ids are compared as text",
        )
    return rows, found[rows]


def _unmatched(scores: Scores, rows: Places) -> tuple[str, ...]:
    alone = np.ones(len(scores.ids), dtype=bool)
    alone[rows] = False
    return _at(scores.ids, np.flatnonzero(alone))


def _at(column: Sequence[str], rows: Places) -> tuple[str, ...]:
    return (
        tuple(column)
        if rows.size == len(column) and not (np.diff(rows) != 1).any()
        else tuple(column[i] for i in rows.tolist())
    )


def _gaps(ids: Sequence[str], left: Floats, right: Floats, metric: str, missing: Missing) -> npt.NDArray[np.bool_]:
    gaps: npt.NDArray[np.bool_] = np.isnan(left) | np.isnan(right)
    bad = gaps & (missing == "raise")
    for side in (left, right):
        bad |= unusable(side) & ~np.isnan(side)
    if bad.any():
        raise NumericalError(
            f"{int(bad.sum())} scores are not finite",
            where=f"metric {metric}, item {ids[int(np.flatnonzero(bad)[0])]!r}",
            hint="a missing score is not a zero; pass missing='drop' to leave out items without one, counted",
        )
    if gaps.all() and missing != "worst":
        raise DataError(f"{metric}: no item has a score on both sides")
    return gaps


def _clusters(a: Scores, b: Scores, rows_a: Places, rows_b: Places, ids: Sequence[str]) -> tuple[str, ...] | None:
    first = None if a.clusters is None else _at(a.clusters, rows_a)
    second = None if b.clusters is None else _at(b.clusters, rows_b)
    if first is not None and second is not None and first != second:
        place = next(i for i, (x, y) in enumerate(zip(first, second, strict=True)) if x != y)
        raise DataError(
            f"an item is in group {first[place]!r} on one side and {second[place]!r} on the other",
            where=f"metric {a.metric}, item {ids[place]!r}",
        )
    return first if first is not None else second
