"""What every statistic checks before it computes: finite numbers, sensible levels, cluster codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError

__all__ = ["Labels", "cluster_codes", "finite_array", "finite_vector", "open_unit", "unusable"]

Labels = Sequence[str] | Sequence[int] | npt.NDArray[Any]


def open_unit(value: float, name: str) -> float:
    """``value`` as a float if it lies strictly between 0 and 1.

    Raises:
        RangeError: it does not.
    """
    number = float(value)
    if not 0.0 < number < 1.0:
        raise RangeError(f"{name} must lie strictly between 0 and 1, not {value}")
    return number


_LARGEST = 1e100  # squares of larger numbers, summed, leave the range of a float


def unusable(values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Where a value is NaN, infinite, or so large that its square is."""
    return np.asarray(~(np.abs(values) <= _LARGEST))


def finite_array(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """``values`` as float64, all finite and within 1e100.

    Raises:
        DataError: texts, or rows of different lengths.
        NumericalError: NaN, infinity or a larger number, with its position.
    """
    array = _numbers(values, name)
    bad = unusable(array)
    if bad.any():
        place = [int(i) for i in np.argwhere(bad)[0]]
        raise NumericalError(
            f"{name} holds {int(bad.sum())} values that are not finite (or beyond 1e100)",
            where=f"position {place[0] if len(place) == 1 else tuple(place)}",
            hint="find out why the score is missing; a missing answer is not a zero",
        )
    return array


def _numbers(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name} cannot be read as numbers: {error}", hint="numbers alone, and as many in each row"
        ) from error


def finite_vector(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """``values`` [N] as float64, at least one, all finite.

    Raises:
        ShapeError: not one-dimensional.
        DataError: empty, texts, or rows of different lengths.
        NumericalError: NaN or infinity, with its position.
    """
    array = _numbers(values, name)
    if array.ndim != 1:
        raise ShapeError(f"{name} must be one-dimensional, not of shape {array.shape}")
    if array.size == 0:
        raise DataError(f"{name} is empty: there is nothing to estimate from")
    return finite_array(array, name)


def cluster_codes(labels: Labels | None, n: int, name: str = "cluster") -> npt.NDArray[np.intp]:
    """Integer code [N] in [0, C) of each item's cluster; without labels every item is its own.

    Raises:
        ShapeError: as many labels as items are needed.
    """
    if labels is None:
        return np.arange(n, dtype=np.intp)
    if isinstance(labels, np.ndarray):
        if labels.shape != (n,):
            raise ShapeError(f"{name} has shape {labels.shape} where {n} labels are needed")
        return np.unique(labels, return_inverse=True)[1].reshape(n).astype(np.intp)
    if len(labels) != n:
        raise ShapeError(f"{name} has {len(labels)} labels where {n} are needed")
    try:
        place = {label: code for code, label in enumerate(sorted(set(labels), key=str))}
    except TypeError as error:
        raise ShapeError(f"{name} needs one label for every item, not a list for each") from error
    return np.fromiter((place[label] for label in labels), dtype=np.intp, count=n)
