"""Several tests at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tutelage.errors import NumericalError, RangeError, ShapeError

__all__ = ["holm"]


def holm(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    r"""Holm's adjusted p values, in the order given.

    With the p values ascending, :math:`\tilde p_{(i)} = \max_{j\le i} \min(1, (m-j+1)\,p_{(j)})`. Rejecting where the
    adjusted value is at most alpha keeps the chance of any false rejection in the family at alpha, whatever the
    dependence. The family is what was planned, not what turned out interesting.

    Args:
        p: p values [M].

    Returns:
        Adjusted p values [M] float64.

    Raises:
        ShapeError: not one-dimensional.
        NumericalError: a p value is NaN.
        RangeError: a p value outside [0, 1].

    Source: Holm 1979.

    Example:
        >>> [round(float(v), 3) for v in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1:
        raise ShapeError(f"p values must be one-dimensional, not of shape {values.shape}")
    if np.isnan(values).any():
        raise NumericalError("a p value is NaN", where=f"position {int(np.flatnonzero(np.isnan(values))[0])}")
    if ((values < 0) | (values > 1)).any():
        raise RangeError("a p value lies outside [0, 1]")
    order = np.argsort(values, kind="stable")
    factors = values.size - np.arange(values.size)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return adjusted
