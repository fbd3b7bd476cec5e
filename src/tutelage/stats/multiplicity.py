"""Several tests at once."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from tutelage.errors import NumericalError, RangeError, ShapeError

__all__ = ["Correction", "benjamini_hochberg", "corrected", "holm"]

Correction = Literal["holm", "bh", "none"]


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
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    factors = values.size - np.arange(values.size)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return adjusted


def benjamini_hochberg(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    r"""Benjamini and Hochberg's adjusted p values, in the order given.

    With the p values ascending, :math:`\tilde p_{(i)} = \min_{j\ge i} \min(1, p_{(j)}\,m/j)`. Rejecting where the
    adjusted value is at most q keeps the expected share of false rejections among all rejections at q, for independent
    or positively dependent tests. That is a weaker promise than Holm's: use it to look for leads, not to decide.

    Args:
        p: p values [M].

    Returns:
        Adjusted p values [M] float64.

    Raises:
        ShapeError: not one-dimensional.
        NumericalError: a p value is NaN.
        RangeError: a p value outside [0, 1].

    Source: Benjamini and Hochberg 1995.

    Example:
        >>> [round(float(v), 3) for v in benjamini_hochberg([0.01, 0.04, 0.03])]
        [0.03, 0.04, 0.04]
    """
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * (values.size / np.arange(1, values.size + 1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted


def corrected(p: npt.ArrayLike, method: Correction) -> npt.NDArray[np.float64]:
    """The p values [M] adjusted by the method of this name; ``"none"`` leaves them as they are.

    Raises:
        RangeError: an unknown method, or see :func:`holm`.
    """
    methods = {"holm": holm, "bh": benjamini_hochberg, "none": _checked}
    if method not in methods:
        raise RangeError(f"no correction is called {method!r}", hint="use 'holm', 'bh' or 'none'")
    return methods[method](p)


def _checked(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1:
        raise ShapeError(f"p values must be one-dimensional, not of shape {values.shape}")
    if np.isnan(values).any():
        raise NumericalError("a p value is NaN", where=f"position {int(np.flatnonzero(np.isnan(values))[0])}")
    if ((values < 0) | (values > 1)).any():
        raise RangeError("a p value lies outside [0, 1]")
    return values
