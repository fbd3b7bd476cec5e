"""Two systems' scores brought onto the same items."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, NumericalError, RangeError
from tutelage.types import Scores

__all__ = ["Aligned", "UnmatchedWarning", "align"]

_TOLERATED_SHARE = 0.01


class UnmatchedWarning(UserWarning):
    """More than 1 % of one side's items have no partner on the other."""


@dataclass(frozen=True)
class Aligned:
    """Both systems on their common items, in the order of the first.

    ``ids`` [N], ``a`` [N], ``b`` [N] float64, ``clusters`` [N] cluster labels or None when no two items share one;
    ``only_a`` and ``only_b`` are the ids without a partner, ``dropped`` those set aside because a score was NaN.
    """

    ids: tuple[str, ...]
    a: npt.NDArray[np.float64]
    b: npt.NDArray[np.float64]
    clusters: tuple[str, ...] | None
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def proportion(self) -> bool:
        """True when every score of both is 0 or 1."""
        return bool(np.isin(self.a, (0, 1)).all() and np.isin(self.b, (0, 1)).all())


def align(a: Scores, b: Scores, *, nan: Literal["raise", "drop"] = "raise") -> Aligned:
    """The common items of two sets of scores of one metric.

    Duplicate ids cannot occur: :class:`tutelage.types.Scores` refuses them.

    Args:
        a: scores of the first system.
        b: scores of the second.
        nan: what to do with an item whose score is NaN on either side; dropped ids are listed in the result.

    Raises:
        DataError: different metrics or versions, no common item, or an item in different clusters.
        NumericalError: a NaN, unless they are to be dropped; an infinity always.

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
    if nan not in ("raise", "drop"):
        raise RangeError(f"no policy for NaN is called {nan!r}", hint="use 'raise' or 'drop'")
    _same_metric(a, b)
    place = {item: i for i, item in enumerate(b.ids)}
    known = set(a.ids)
    common = [item for item in a.ids if item in place]
    if not common:
        raise DataError(
            f"{a.metric}: the two systems share no item ({len(a.ids)} and {len(b.ids)})",
            hint="score both on the same rows; ids are compared as text",
        )
    where_a = {item: i for i, item in enumerate(a.ids)}
    rows_a, rows_b = [where_a[i] for i in common], [place[i] for i in common]
    left, right = a.values[rows_a].astype(np.float64), b.values[rows_b].astype(np.float64)
    keep = _finite(common, left, right, a.metric, nan)
    clusters = _clusters(a, b, rows_a, rows_b, common)
    only_a = tuple(i for i in a.ids if i not in place)
    only_b = tuple(i for i in b.ids if i not in known)
    if len(only_a) > _TOLERATED_SHARE * len(a.ids) or len(only_b) > _TOLERATED_SHARE * len(b.ids):
        text = f"{a.metric}: {len(only_a)} of {len(a.ids)} and {len(only_b)} of {len(b.ids)} items have no partner"
        warnings.warn(text, UnmatchedWarning, stacklevel=2)
    return Aligned(
        ids=tuple(i for i, k in zip(common, keep, strict=True) if k),
        a=left[keep],
        b=right[keep],
        clusters=None if clusters is None else tuple(g for g, k in zip(clusters, keep, strict=True) if k),
        only_a=only_a,
        only_b=only_b,
        dropped=tuple(i for i, k in zip(common, keep, strict=True) if not k),
    )


def _same_metric(a: Scores, b: Scores) -> None:
    for what in ("metric", "version", "higher_is_better"):
        one, two = getattr(a, what), getattr(b, what)
        if one != two:
            raise DataError(
                f"scores that differ in {what} cannot be compared: {one!r} and {two!r}",
                hint="measure both systems with the same version of Tutelage",
            )


def _finite(
    ids: list[str], left: npt.NDArray[np.float64], right: npt.NDArray[np.float64], metric: str, nan: str
) -> npt.NDArray[np.bool_]:
    bad = np.isinf(left) | np.isinf(right) if nan == "drop" else ~(np.isfinite(left) & np.isfinite(right))
    if bad.any():
        raise NumericalError(
            f"{int(bad.sum())} scores are not finite",
            where=f"metric {metric}, item {ids[int(np.flatnonzero(bad)[0])]!r}",
            hint="a missing score is not a zero; pass nan='drop' to leave out items without one, counted",
        )
    keep = ~(np.isnan(left) | np.isnan(right))
    if not keep.any():
        raise DataError(f"{metric}: no item has a score on both sides")
    return keep


def _clusters(a: Scores, b: Scores, rows_a: list[int], rows_b: list[int], ids: list[str]) -> list[str] | None:
    first = None if a.clusters is None else [a.clusters[i] for i in rows_a]
    second = None if b.clusters is None else [b.clusters[i] for i in rows_b]
    if first is not None and second is not None and first != second:
        place = next(i for i, (x, y) in enumerate(zip(first, second, strict=True)) if x != y)
        raise DataError(
            f"an item is in group {first[place]!r} on one side and {second[place]!r} on the other",
            where=f"metric {a.metric}, item {ids[place]!r}",
        )
    clusters = first if first is not None else second
    return clusters if clusters is not None and len(set(clusters)) < len(clusters) else None
