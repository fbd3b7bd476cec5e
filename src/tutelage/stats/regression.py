"""A linear fit whose intervals take what belongs together as one: how accuracy depends on rates of errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, NumericalError, ShapeError
from tutelage.stats.checks import Labels, cluster_codes, finite_vector
from tutelage.stats.resampling import check_settings, interval_around
from tutelage.types import Estimate

__all__ = ["LinearFit", "linear_fit"]

Floats = npt.NDArray[np.float64]
_DRAWS_AT_ONCE = 4_096


@dataclass(frozen=True)
class LinearFit:
    """``intercept`` and ``slopes`` by name with intervals; ``r2`` is the share of the variance that the fit explains.

    ``r2`` is None where the outcome does not vary; intervals then have no ends.
    """

    intercept: Estimate
    slopes: Mapping[str, Estimate]
    r2: float | None


def linear_fit(
    outcome: npt.ArrayLike,
    columns: Mapping[str, npt.ArrayLike],
    cluster: Labels | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> LinearFit:
    r"""Least squares :math:`y \approx a + \sum_k b_k x_k` with intervals from resampled clusters.

    Whole clusters (seeds, say) are drawn with replacement and the fit is made anew; a resample in which the columns
    cannot be told apart has no fit. Slopes describe these cells; they are no causes and no forecast beyond them.

    Args:
        outcome: y [N].
        columns: name to x_k [N].
        cluster: label of the cluster of each [N]; None: every observation stands alone.
        level: confidence level.
        seed: of the resampling.
        resamples: how many.

    Raises:
        DataError: no observations, or no columns.
        ShapeError: columns or labels of another length than the outcome.
        NumericalError: NaN or infinity, or columns that the data cannot tell apart (one does not vary, or follows from
            the others).
        RangeError: a level outside (0, 1), too few resamples.

    Source: least squares; the pairs bootstrap by cluster of Cameron, Gelbach and Miller 2008, with the expansion of
        Hesterberg 2015.

    Example:
        >>> found = linear_fit([1.0, 2.0, 3.0, 4.0], {"x": [0.0, 1.0, 2.0, 3.0]}, resamples=100)
        >>> round(found.intercept.value, 6), round(found.slopes["x"].value, 6), found.r2
        (1.0, 1.0, 1.0)
    """
    check_settings(resamples, level)
    y = finite_vector(outcome, "outcome")
    if not columns:
        raise DataError("a fit needs at least one column")
    named = {name: finite_vector(column, name) for name, column in columns.items()}
    for name, column in named.items():
        if column.size != y.size:
            raise ShapeError(f"{y.size} outcomes but {column.size} values of {name}")
    raw = np.column_stack([*named.values()])
    middles, spreads = raw.mean(axis=0), np.ptp(raw, axis=0)
    # about their middles, since sums of squares of large numbers would hide how they vary
    design = np.column_stack([np.ones(y.size), (raw - middles) / np.where(spreads > 0, spreads, 1.0)])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise NumericalError(
            f"{y.size} observations cannot tell the effects of {', '.join(named)} apart",
            hint="one of them does not vary, or follows from the others: vary them separately",
        )
    codes = cluster_codes(cluster, y.size)
    clusters = int(codes.max()) + 1
    fitted = np.linalg.lstsq(design, y, rcond=None)[0]
    spread = float(np.square(y - y.mean()).sum())
    left = float(np.square(y - design @ fitted).sum())
    drawn = _drawn(design, y, codes, resamples, np.random.default_rng(seed))
    if np.ptp(y) == 0:  # an outcome at a floor says nothing about what would move it
        drawn = np.full_like(drawn, np.nan)
    found, drawn = (_in_units(one, middles, spreads) for one in (fitted[None, :], drawn))
    estimates = [
        interval_around(float(value), column, level=level, n=y.size, clusters=clusters, seed=seed)
        for value, column in zip(found[0], drawn.T, strict=True)
    ]
    return LinearFit(
        estimates[0], dict(zip(named, estimates[1:], strict=True)), max(0.0, 1 - left / spread) if spread > 0 else None
    )


def _in_units(coefficients: Floats, middles: Floats, spreads: Floats) -> Floats:
    """Intercept and slopes [B, 1 + K] of the columns themselves, from those of centred and scaled ones."""
    slopes = coefficients[:, 1:] / spreads
    return np.column_stack([coefficients[:, 0] - slopes @ middles, slopes])


def _drawn(design: Floats, y: Floats, codes: npt.NDArray[np.intp], resamples: int, rng: np.random.Generator) -> Floats:
    """Coefficients of each resample [B, K], NaN where the columns cannot be told apart; from sums over clusters."""
    clusters, size = int(codes.max()) + 1, design.shape[1]
    squares, products = np.zeros((clusters, size, size)), np.zeros((clusters, size))
    np.add.at(squares, codes, design[:, :, None] * design[:, None, :])
    np.add.at(products, codes, design * y[:, None])
    found = np.full((resamples, size), np.nan)
    for start in range(0, resamples, _DRAWS_AT_ONCE):
        stop = min(start + _DRAWS_AT_ONCE, resamples)
        times = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=stop - start).astype(np.float64)
        left, right = np.tensordot(times, squares, axes=1), times @ products
        usable = np.linalg.cond(left) < 1e10
        found[start:stop][usable] = np.linalg.solve(left[usable], right[usable][:, :, None])[:, :, 0]
    return found
